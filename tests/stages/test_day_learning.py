"""The stages of a study of days that score and fit."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from alm_core.errors import LeakError, LearnerError
from alm_core.learning.day_model import load_day_model
from alm_core.learning.day_samples import DaySamples
from alm_core.stages.day_learning import stage_day_models, stage_day_validation
from alm_core.stages.day_samples import stage_day_samples
from tests.stages.day_context import arrays, make_context

SCHEMES = ["random", "year", "block", "site"]
LEARNERS = ["trees", "linear", "discriminant_published", "discriminant_refitted"]


def finished(folder, **options):
    """A study of which both stages have run."""
    context = make_context(folder, **options)
    stage_day_samples(context)
    files = [*stage_day_validation(context), *stage_day_models(context)]
    assert all(path.exists() for path in files)
    return context


def read(context, name):
    """A JSON of the run."""
    return json.loads((context.folder / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The study as it is."""
    return finished(tmp_path_factory.mktemp("learning"))


def test_every_split_scores_every_learner_and_both_baselines(run):
    """With intervals, groups, worst cells, and the three parts of the random split."""
    found = read(run, "metrics.json")
    assert (found["task"], found["classes"], found["headline"]) == ("classification", ["thawed", "frozen"], "year")
    assert list(found["schemes"]) == SCHEMES
    for scheme, learners in found["schemes"].items():
        assert list(learners) == LEARNERS
        for scores in learners.values():
            assert set(scores["by"]) == {"season", "transition", "year", "land_cover", "elevation"}
            assert len(scores["interval"]["kappa"]) == 2
            assert ("parts" in scores) == (scheme == "random")
    trees = found["schemes"]["year"]["trees"]
    assert trees["overall_accuracy"] > 0.85
    assert np.sum(trees["confusion"]) == trees["count"] == found["samples"]
    assert found["baselines"] == LEARNERS[2:]
    assert set(found["against_baselines"]["year"]["discriminant_refitted"]) == {"all", "other months", "transition months"}
    assert "unverified" in found["notes"]["discriminant_published"]


def test_leaks_are_told_and_only_the_random_split_has_them(run):
    """In numbers and in words."""
    found = read(run, "metrics.json")["leaks"]
    assert found["random"]["same_cell"] > 0.3
    assert found["random"]["because"] == "to compare with a published score"
    for scheme in SCHEMES[1:]:
        assert (found[scheme]["same_cell"], found[scheme]["same_day"]) == (0.0, 0.0)
        assert "0 % of the test samples" in found[scheme]["words"]


def test_the_check_is_scored_by_models_of_the_headline(run):
    """Predictions that saw neither the year nor the days around it."""
    found = read(run, "metrics.json")["check"]
    assert (found["product"], found["scheme"], found["buffer_days"]) == ("second_state", "year", 10)
    assert found["learners"]["trees"]["count"] == found["count"] > 100
    assert found["learners"]["trees"]["overall_accuracy"] > 0.8
    rows = pd.read_parquet(run.folder / "check.parquet")
    samples = DaySamples.open(run.folder / "samples.parquet")
    own = rows[rows["learner"] == "trees"]
    assert sorted(own["sample"]) == np.flatnonzero(samples.is_check).tolist()
    assert np.array_equal(own["observed"], samples.check[own["sample"]])


def test_out_of_fold_rows_are_those_that_were_scored(run):
    """The table gives the accuracy of metrics.json; rows that trained or belong to the check are not in it."""
    table = pd.read_parquet(run.folder / "out_of_fold.parquet")
    assert list(table.columns) == ["sample", "scheme", "fold", "part", "learner", "probability", "predicted", "observed"]
    assert set(table["part"]) == {"validation", "test"}
    assert set(table.loc[table["part"] == "validation", "scheme"]) == {"random"}
    for scheme, learners in read(run, "metrics.json")["schemes"].items():
        own = table[(table["scheme"] == scheme) & (table["part"] == "test")]
        for name, scores in learners.items():
            rows = own[own["learner"] == name]
            assert (rows["predicted"] == rows["observed"]).mean() == pytest.approx(scores["overall_accuracy"])


def test_models_are_kept_and_ranked(run):
    """Trees on disk, the others named; importance of every predictor, the season or a channel first."""
    facts, importance = read(run, "models.json"), read(run, "importance.json")
    assert (facts["saved"], facts["learner"], facts["missing"]) == (["trees"], "trees", "leave_out")
    assert facts["learners"][0]["options"]["min_samples_leaf"] == 10
    assert importance["fused"] == importance["members"]["trees"]
    assert list(importance["fused"]) == facts["features"]
    assert max(importance["fused"], key=importance["fused"].get) != "elevation"
    model = load_day_model(run.folder)
    samples = DaySamples.open(run.folder / "samples.parquet")
    found = model.predict_block(samples.features.T[:, None, :], np.ones((1, len(samples)), bool))
    assert ((found[0] >= 0.5) == samples.label)[samples.learns].mean() > 0.9


def test_a_poisoned_check_changes_no_model_and_no_score(run, tmp_path):
    """The second product turned: models, scores and out-of-fold rows stay the same, its own score turns."""
    values = arrays()
    values["second_state"] = 3 - values["second_state"]
    other = finished(tmp_path, values=values)
    clean, poisoned = read(run, "metrics.json"), read(other, "metrics.json")
    assert clean["schemes"] == poisoned["schemes"]
    for name in ("models/trees.npz", "out_of_fold.parquet", "importance.json"):
        assert (run.folder / name).read_bytes() == (other.folder / name).read_bytes(), name
    right, wrong = (found["check"]["learners"]["trees"]["overall_accuracy"] for found in (clean, poisoned))
    assert right == pytest.approx(1 - wrong)


def test_a_split_that_leaks_is_refused(run, tmp_path):
    """A gap of no days lets the neighbouring days of the border through, where samples are dense."""
    shutil.copytree(run.folder / "cubes", tmp_path / "cubes")
    context = make_context(
        tmp_path, samples={"count": 30_000}, check=None, splits={"schemes": ["year"], "gap_days": 0, "folds": 3}
    )
    stage_day_samples(context)
    with pytest.raises(LeakError, match="'year' leaks"):
        stage_day_validation(context)


def test_a_learner_that_can_not_be_kept_makes_no_maps(run, tmp_path):
    """It may stand beside the one that does."""
    context = make_context(tmp_path, learner="linear")
    shutil.copy(run.folder / "samples.parquet", tmp_path)
    with pytest.raises(LearnerError, match="can't be kept on disk"):
        stage_day_models(context)
