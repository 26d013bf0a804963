"""Scoring a set of covariates picked by hand."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from alm_core.errors import MissingFileError, StudyError, WorkspaceError
from alm_core.inspection.feature_set import (
    FeatureSetScore,
    chosen_set,
    compare_sets,
    delete_set,
    list_sets,
    load_set,
    run_pairs,
    save_set,
    score_set,
    score_set_job,
    set_key,
)
from alm_core.workspace import Run


@pytest.fixture(scope="module")
def chosen_score(dashboard_run: Run) -> FeatureSetScore:
    """The chosen set, scored by hand."""
    return score_set(dashboard_run, chosen_set(dashboard_run))


def copied(run: Run, tmp_path: Path) -> Run:
    """A copy of a run in a workspace of its own, without its map."""
    folder = tmp_path / "workspace" / run.folder.parent.name / run.id
    shutil.copytree(run.folder, folder, ignore=shutil.ignore_patterns("map"))
    return Run(folder)


def test_chosen_set_scores_as_the_run_did(chosen_score: FeatureSetScore, dashboard_run: Run) -> None:
    """The selection of this run is not nested, so its own scores come out again, site by site."""
    metrics = dashboard_run.metrics()
    assert metrics["selection_nested"] is False
    for scheme in ("random", "knndm"):
        for column in ("fused", "forest", "boosted"):
            own, found = metrics["schemes"][scheme][column], chosen_score.schemes[scheme][column]
            assert {name: found[name] for name in ("r2", "rmse", "mae")} == pytest.approx(
                {name: own[name] for name in ("r2", "rmse", "mae")}
            )
    own = run_pairs(dashboard_run)
    own = own[own["scheme"].isin(["random", "knndm"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(chosen_score.pairs, own)
    gain = compare_sets(chosen_score.pairs, own, "knndm")
    assert (gain.mean, gain.standard_error) == (0.0, 0.0)
    assert not gain.clear


def test_order_and_workers_change_nothing(dashboard_run: Run) -> None:
    """A set is a set: its order and the number of threads leave the scores alone."""
    first = score_set(dashboard_run, ["wetness", "elevation"], schemes=["random"])
    second = score_set(dashboard_run, ["elevation", "wetness", "wetness"], schemes=["random"], workers=2)
    assert first.features == second.features == ("elevation", "wetness")
    pd.testing.assert_frame_equal(first.pairs, second.pairs)


def test_noise_alone_is_clearly_worse(chosen_score: FeatureSetScore, dashboard_run: Run) -> None:
    """A layer of noise explains nothing, and the paired difference says so."""
    noise = score_set(dashboard_run, ["noise"])
    gain = compare_sets(noise.pairs, chosen_score.pairs, "knndm")
    assert noise.score("knndm", "r2") < 0.2 < chosen_score.score("knndm", "r2")
    assert gain.mean < 0
    assert gain.clear
    assert gain.mean == pytest.approx(noise.score("knndm", "r2") - chosen_score.score("knndm", "r2"))


def test_difference_is_that_of_the_pooled_scores() -> None:
    """Folds of any size, several repeats: the mean difference is the difference of the pooled R2."""
    rng = np.random.default_rng(0)
    frames = []
    for repeat in range(2):
        fold = rng.choice(3, size=30, p=[0.2, 0.3, 0.5])
        observed = np.arange(30.0)
        frames.append(
            pd.DataFrame({"scheme": "random", "repeat": repeat, "fold": fold, "site_id": range(30), "observed": observed})
        )
    pairs = pd.concat(frames, ignore_index=True)
    first, second = (pairs.assign(fused=pairs["observed"] + rng.normal(size=60) * size) for size in (1.0, 3.0))

    def pooled(table: pd.DataFrame) -> float:
        return np.mean([1 - ((t.fused - t.observed) ** 2).mean() / t.observed.var(ddof=0) for _, t in table.groupby("repeat")])

    found = compare_sets(first, second, "random")
    assert found.mean == pytest.approx(pooled(first) - pooled(second))
    assert found.folds == 6
    assert found.clear


def test_sets_of_other_folds_are_not_compared(chosen_score: FeatureSetScore) -> None:
    """A scheme that one lacks, or other folds, give no difference."""
    assert compare_sets(chosen_score.pairs, chosen_score.pairs, "block") is None
    other = chosen_score.pairs.assign(fold=0)
    assert compare_sets(chosen_score.pairs, other, "random") is None


@pytest.mark.parametrize(("features", "words"), [([], "No covariate"), (["wetness", "gold"], "gold: no such covariate")])
def test_sets_that_are_none_are_refused(dashboard_run: Run, features: list[str], words: str) -> None:
    """Empty sets and unknown names are named."""
    with pytest.raises(StudyError, match=words):
        score_set(dashboard_run, features)


def test_sets_are_kept_listed_and_deleted(chosen_score: FeatureSetScore, dashboard_run: Run, tmp_path: Path) -> None:
    """What is saved comes back the same; the newest is first; a deleted one is gone."""
    run = copied(dashboard_run, tmp_path)
    assert list_sets(run) == ()
    save_set(run, chosen_score)
    found = load_set(run, reversed(chosen_score.features))
    assert found.to_dict() == chosen_score.to_dict()
    assert [item.key for item in list_sets(run)] == [set_key(chosen_score.features)]
    delete_set(run, chosen_score.key)
    assert load_set(run, chosen_score.features) is None
    with pytest.raises(MissingFileError):
        delete_set(run, "../run")


def test_set_of_another_version_is_refused(chosen_score: FeatureSetScore, dashboard_run: Run, tmp_path: Path) -> None:
    """A file of a later program is not misread."""
    run = copied(dashboard_run, tmp_path)
    path = save_set(run, chosen_score)
    path.write_text(json.dumps({**chosen_score.to_dict(), "version": 99}), encoding="utf-8")
    with pytest.raises(WorkspaceError, match="version 99"):
        list_sets(run)


def test_job_scores_the_set_and_the_chosen_one(dashboard_run: Run, tmp_path: Path) -> None:
    """The first job scores both, reports whole progress, and the next one only its own set."""
    run = copied(dashboard_run, tmp_path)
    steps: list[tuple[int, int]] = []
    spec = {"run": f"{run.folder.parent.name}/{run.id}", "features": ["wetness", "warmth"]}
    result = score_set_job(spec, workspace=tmp_path / "workspace", folder=tmp_path, report=lambda d, t, _: steps.append((d, t)))
    assert len(list_sets(run)) == 2
    assert result["key"] == set_key(["wetness", "warmth"])
    assert set(result["scores"]) == {"random", "knndm"}
    assert result["difference"]["folds"] == 3
    assert steps[-1][0] == steps[-1][1]
    assert [done / total for done, total in steps] == sorted(done / total for done, total in steps)
    json.dumps(result)


def test_job_of_an_unknown_run_is_refused(tmp_path: Path) -> None:
    """A run is looked up by name, never joined to a path."""
    with pytest.raises(MissingFileError, match="no run"):
        score_set_job({"run": "../../etc", "features": ["a"]}, workspace=tmp_path, folder=tmp_path, report=lambda *_: None)


def test_classification_is_scored_by_accuracy(class_run: Run) -> None:
    """A set of a classification has accuracies, compared by wrong labels."""
    good = score_set(class_run, ["elevation", "wetness", "warmth"], schemes=["random"])
    bad = score_set(class_run, ["noise"], schemes=["random"])
    gain = compare_sets(good.pairs, bad.pairs, "random", task="classification")
    assert good.task == "classification"
    difference = good.score("random", "overall_accuracy") - bad.score("random", "overall_accuracy")
    assert gain.mean == pytest.approx(difference)
    assert difference > 0.1
