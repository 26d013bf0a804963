"""The bias studio: cross-fitted scores that no site's own observation has touched, curves, frontier and histograms."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from alm_core.errors import SitesError, StudyError
from alm_core.learning.fusion import fit_fusion
from alm_core.learning.metrics import bias_curves, frontier, regression_scores
from alm_core.mapping.cog import open_raster
from alm_core.options import StudyOptions
from alm_core.scenarios.scenario import Scenario, default_scenario, inner_pairs, scenario_fusion
from alm_core.scenarios.studio import (
    INNER_SCHEME,
    PRESETS,
    SHOWN_SCORES,
    Pairs,
    compare,
    cross_fit,
    gain,
    histograms,
    map_sample,
    paired_gain,
    pairs_of,
    studio,
    studio_data,
    studio_schemes,
)
from alm_core.workspace import Run

SCENARIOS = (
    Scenario("aware", method="bias_aware", correction="blend"),
    Scenario("squares", method="least_squares", correction="distribution"),
    Scenario("hand", method="manual", weights={"forest": 1.0, "boosted": 2.0}, correction="regression"),
)


@pytest.fixture(scope="module")
def options(dashboard_run) -> StudyOptions:
    """Options of the run."""
    return StudyOptions.model_validate(dashboard_run.record["options"])


def test_schemes_begin_with_the_one_that_answers_for_the_map(dashboard_run):
    """The headline first, the inner folds last, every scheme of the study between."""
    schemes = studio_schemes(dashboard_run)
    assert schemes[0] == "knndm"
    assert schemes[-1] == INNER_SCHEME
    assert {"random", "block", "survey", "method"} <= set(schemes)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
@pytest.mark.parametrize("scheme", ["knndm", INNER_SCHEME])
def test_no_observation_reaches_its_own_value(dashboard_run, options, scenario, scheme):
    """Garbage in a fold's observations leaves its cross-fitted values bit for bit, and changes those of the others."""
    pairs = pairs_of(dashboard_run, scheme)
    value, uncorrected = cross_fit(pairs, scenario, options)
    for fold in pairs.fold_numbers:
        held = pairs.folds == fold
        poisoned = replace(pairs, observed=np.where(held, 5.0 + np.arange(held.size), pairs.observed))
        again, plain = cross_fit(poisoned, scenario, options)
        assert np.array_equal(again[held], value[held])
        assert np.array_equal(plain[held], uncorrected[held])
        assert not np.allclose(again[~held], value[~held])
        assert regression_scores(poisoned.observed, again)["rmse"] > regression_scores(pairs.observed, value)["rmse"]


def test_each_fold_is_predicted_by_a_fusion_of_the_others(dashboard_run, options):
    """Checked against fit_fusion by hand, for one fold."""
    pairs = pairs_of(dashboard_run, "block")
    value, _ = cross_fit(pairs, SCENARIOS[0], options)
    held = pairs.folds == pairs.fold_numbers[0]
    fusion = fit_fusion(
        pairs.members[:, ~held],
        pairs.observed[~held],
        learners=("forest", "boosted"),
        method="bias_aware",
        minimum=0.0,
        maximum=0.7,
    )
    assert np.array_equal(value[held], fusion.predict(pairs.members[:, held]).value)


def test_scores_are_of_unseen_sites_and_worse_than_fitted_ones(dashboard_run):
    """Isotonic-like gains of scoring on the fitted pairs do not show up here."""
    scenario = Scenario("x", method="equal", correction="regression")
    result = studio(dashboard_run, scenario, scheme=INNER_SCHEME)
    inner = inner_pairs(dashboard_run)
    seen = regression_scores(inner.samples.target, scenario_fusion(dashboard_run, scenario).predict(inner.members).value)
    assert result.scores["r2"] < seen["r2"]


def test_result_holds_what_its_parts_say(dashboard_run):
    """Scores, curves, frontier and weights are those of the metrics module."""
    result = studio(dashboard_run, SCENARIOS[2])
    assert result.pairs.scheme == "knndm"
    assert result.scores == regression_scores(result.pairs.observed, result.value)
    assert result.curves.to_dict() == bias_curves(result.pairs.observed, result.value).to_dict()
    assert result.weights == pytest.approx({"forest": 1 / 3, "boosted": 2 / 3})
    ratio, best = result.frontier()
    assert best.max() == pytest.approx(result.correlation**2, abs=1e-3)
    assert np.array_equal(best, frontier(result.correlation, ratio))
    plain = json.loads(json.dumps(result.to_dict()))
    assert plain["scores"]["r2"] == result.scores["r2"]
    assert len(plain["site_ids"]) == len(plain["value"]) == len(plain["observed"])


def test_a_straight_correction_stays_at_or_below_the_frontier(dashboard_run):
    """Cross-fitted lines can't beat the best line, but for the luck of the folds."""
    for correction in ("none", "regression", "zscore"):
        result = studio(dashboard_run, Scenario("x", method="equal", correction=correction), scheme="random")
        assert result.scores["r2"] <= frontier(result.correlation, result.scores["sd_ratio"]) + 0.02


def test_stretching_trades_one_bias_for_the_other(dashboard_run):
    """More lambda: more spread and a flatter curve against observed values."""
    low, high = (studio(dashboard_run, Scenario("x", method="equal", correction="blend", blend=blend)) for blend in (0.0, 1.0))
    assert high.scores["sd_ratio"] > low.scores["sd_ratio"]
    slopes = [np.polyfit(one.curves.against_observed.grid, one.curves.against_observed.mean, 1)[0] for one in (low, high)]
    assert slopes[0] < slopes[1] < 0


def test_histograms_are_parts_of_one_and_lose_nothing():
    """Values beyond the edges fall into the outermost bins."""
    edges = np.linspace(0, 1, 5)
    found = histograms(edges, np.array([-3.0, 0.1, 0.9]), np.array([0.5, 2.0]), None)
    assert found.observed.tolist() == pytest.approx([2 / 3, 0, 0, 1 / 3])
    assert found.predicted.sum() == 1.0
    assert found.to_dict()["cells"] is None


def test_the_map_sample_is_of_real_cells_at_full_resolution(dashboard_run):
    """Every sampled pair of members is a cell of the raster, and their mean is that of the map."""
    sample = map_sample(dashboard_run)
    with open_raster(dashboard_run.file("map/members.tif")) as dataset:
        cells = dataset.read(masked=True)
    here = ~np.ma.getmaskarray(cells).any(axis=0)
    known = {tuple(cell) for cell in cells.data[:, here].T.tolist()}
    assert {tuple(cell) for cell in sample.astype(np.float32).T.tolist()} <= known
    np.testing.assert_allclose(sample.mean(axis=1), cells.data[:, here].mean(axis=1), atol=0.02)
    assert not sample.flags.writeable
    assert map_sample(dashboard_run, cells=20).shape == (2, 20)


def test_data_for_the_browser_are_plain_and_complete(dashboard_run):
    """JSON in and out; one weighting per fold and preset; folds counted from 0."""
    data = studio_data(dashboard_run, "survey")
    assert json.loads(json.dumps(data)) == data
    folds = set(data["pairs"]["folds"])
    assert folds == set(range(len(folds)))
    assert set(data["presets"]) == set(PRESETS)
    for preset in data["presets"].values():
        assert len(preset["folds"]) == len(folds)
        assert sum(preset["mean"]) == pytest.approx(1.0)
    own = scenario_fusion(dashboard_run, default_scenario(dashboard_run))
    assert data["presets"]["bias_aware"]["final"] == own.weighting.to_dict()
    assert data["bounds"] == [0.0, 0.7]


def test_comparing_gives_a_row_per_scenario(dashboard_run):
    """In the order that came, with the scores that tables show."""
    table = compare(dashboard_run, list(SCENARIOS), scheme="random")
    assert list(table.index) == ["aware", "squares", "hand"]
    assert tuple(table.columns) == SHOWN_SCORES
    assert table.loc["hand", "r2"] == studio(dashboard_run, SCENARIOS[2], scheme="random").scores["r2"]


def test_gain_within_two_errors_is_no_gain(dashboard_run):
    """The flag follows the numbers; the inner folds have none."""
    found = gain(dashboard_run, "knndm")
    assert list(found.index) == ["forest", "boosted"]
    assert (found["clear"] == (found["mean"] > 2 * found["standard_error"])).all()
    squares = dashboard_run.metrics()["schemes"]["knndm"]["forest"]["rmse"] ** 2
    assert found.loc["forest", "part"] == pytest.approx(found.loc["forest", "mean"] / squares)
    assert gain(dashboard_run, INNER_SCHEME).empty


def test_paired_gain_is_the_mean_difference_over_folds(dashboard_run):
    """Against a prediction by the mean, and against itself."""
    result = studio(dashboard_run, SCENARIOS[0], scheme="random")
    constant = np.full(result.value.size, result.pairs.observed.mean())
    found = paired_gain(result.pairs, constant, result.value)
    assert found["mean"] > 2 * found["standard_error"] > 0
    assert found["folds"] == 3
    assert paired_gain(result.pairs, result.value, result.value)["mean"] == 0


# ---- what can't be scored -----------------------------------------------------------------------------------------------


def test_unknown_schemes_and_runs_without_scenarios_are_refused(dashboard_run, class_run):
    """With the schemes that there are."""
    with pytest.raises(StudyError, match="choose one of knndm"):
        studio(dashboard_run, SCENARIOS[0], scheme="holdout")
    for use in (lambda: studio_data(class_run, INNER_SCHEME), lambda: studio(class_run, SCENARIOS[0], scheme=INNER_SCHEME)):
        with pytest.raises(StudyError, match="classes"):
            use()


def test_a_hold_out_has_one_fold_and_is_not_offered(dashboard_run, options, tmp_path):
    """Nothing is left to fit on; the page never offers it."""
    folder = tmp_path / dashboard_run.id
    shutil.copytree(dashboard_run.folder, folder)
    frame = pd.read_parquet(folder / "out_of_fold.parquet")
    frame[frame["fold"] == 0].to_parquet(folder / "out_of_fold.parquet", index=False)
    run = Run(folder)
    assert studio_schemes(run) == (INNER_SCHEME,)
    pairs = Pairs("holdout", np.arange(9), np.ones(9, int), np.linspace(0, 1, 9), np.zeros((2, 9)))
    with pytest.raises(SitesError, match="holdout"):
        cross_fit(pairs, SCENARIOS[0], options)


def test_incomplete_pairs_and_repeats_are_left_out(dashboard_run, tmp_path):
    """A site without a prediction is not scored; of a repeated scheme the first repeat counts, each site once."""
    folder = tmp_path / dashboard_run.id
    shutil.copytree(dashboard_run.folder, folder)
    frame = pd.read_parquet(folder / "out_of_fold.parquet")
    missing = frame.index[frame["scheme"] == "random"][0]
    frame.loc[missing, "forest"] = np.nan
    twice = pd.concat([frame, frame.assign(repeat=1)], ignore_index=True)
    twice.to_parquet(folder / "out_of_fold.parquet", index=False)
    count = (frame["scheme"] == "random").sum()
    found = pairs_of(Run(folder), "random")
    assert found.observed.size == count - 1
    assert np.unique(found.site_ids).size == found.site_ids.size
