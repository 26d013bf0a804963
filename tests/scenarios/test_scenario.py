"""Scenarios: what they accept, how they are kept, how links carry them, and that their fusion is the study's own procedure."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from alm_core import cli
from alm_core.errors import StudyError
from alm_core.learning.fusion import Fusion, fit_fusion
from alm_core.scenarios.scenario import (
    DEFAULT,
    FOLDER,
    INNER,
    Scenario,
    default_scenario,
    delete_scenario,
    from_query,
    inner_pairs,
    learner_names,
    list_scenarios,
    load_scenario,
    manual_scenario,
    obstacle,
    save_scenario,
    scenario_fusion,
    supports_scenarios,
    to_query,
)
from alm_core.workspace import Run, read_json, write_json

MINE = Scenario("mine", method="manual", weights={"forest": 1.0, "boosted": 3.0}, correction="zscore", note="drier ground")


@pytest.fixture
def own_run(dashboard_run, tmp_path) -> Run:
    """A copy of the run to write to."""
    folder = tmp_path / "workspace" / "small" / dashboard_run.id
    shutil.copytree(dashboard_run.folder, folder)
    return Run(folder)


def change_options(run: Run, section: str, **values) -> None:
    """Write other options into the record of a run."""
    record = run.record
    record["options"][section] |= values
    write_json(run.folder / "run.json", record)


# ---- the fusion ---------------------------------------------------------------------------------------------------------


def test_the_default_is_the_fusion_of_the_run(dashboard_run):
    """fusion.json itself, number by number."""
    fusion = scenario_fusion(dashboard_run, default_scenario(dashboard_run))
    assert fusion.to_dict() == read_json(dashboard_run.folder / "fusion.json")


def test_a_scenario_with_the_values_of_the_study_is_the_study_under_another_name(dashboard_run):
    """Name and note decide nothing."""
    same = replace(default_scenario(dashboard_run), name="twin", note="the same")
    assert scenario_fusion(dashboard_run, same).to_dict() == read_json(dashboard_run.folder / "fusion.json")


def test_fitting_anew_repeats_the_study_bit_for_bit(own_run):
    """Without its fusion.json to read, the default fitted as any other scenario gives the same file."""
    expected = read_json(own_run.folder / "fusion.json")
    own = default_scenario(own_run)
    change_options(own_run, "bias", method="zscore")  # so that the scenario is no longer the study's own
    assert scenario_fusion(own_run, replace(own, name="was-own")).to_dict() == expected


@pytest.mark.parametrize("method", ["equal", "inverse_error", "least_squares", "manual"])
def test_a_scenario_is_fitted_on_all_inner_pairs(dashboard_run, method):
    """Weights and curve equal those of fit_fusion, and there is an interval of the study's level."""
    scenario = Scenario("x", method=method, weights={"forest": 2.0, "boosted": 1.0}, correction="regression")
    found = scenario_fusion(dashboard_run, scenario)
    pairs = inner_pairs(dashboard_run)
    expected = fit_fusion(
        pairs.members,
        pairs.samples.target,
        learners=learner_names(dashboard_run),
        method=method,
        weights=scenario.weights or None,
        correction="regression",
        minimum=0.0,
        maximum=0.7,
    )
    assert found.with_interval(None).to_dict() == expected.to_dict()
    assert found.interval is not None
    assert found.interval.level == 0.9


def test_intervals_cover_the_sites_they_were_calibrated_on(dashboard_run):
    """About nine of ten sites lie inside of a 90 % interval."""
    fusion = scenario_fusion(dashboard_run, Scenario("x", method="equal"))
    pairs = inner_pairs(dashboard_run)
    done = fusion.predict(pairs.members)
    covered = np.mean((done.lower <= pairs.samples.target) & (pairs.samples.target <= done.upper))
    assert 0.82 < covered <= 1.0


def test_asking_again_is_remembered_until_the_run_changes(own_run):
    """The same object for the same values, another after the pairs changed."""
    scenario = Scenario("x", method="equal")
    first = scenario_fusion(own_run, scenario)
    assert scenario_fusion(own_run, replace(scenario, name="y", note="z")) is first
    inner = pd.read_parquet(own_run.folder / INNER)
    inner["forest"] += 0.05
    inner.to_parquet(own_run.folder / INNER, index=False)
    assert not np.array_equal(scenario_fusion(own_run, scenario).correction.curve.x, first.correction.curve.x)


def test_weights_of_an_unknown_learner_are_refused(dashboard_run):
    """The learners of the run are named."""
    with pytest.raises(StudyError, match="learners of this run are forest, boosted"):
        scenario_fusion(dashboard_run, Scenario("x", method="manual", weights={"forst": 1.0}))
    with pytest.raises(StudyError, match="learners of this run"):
        manual_scenario(dashboard_run, {"forst": 1.0})


def test_a_study_without_intervals_gives_a_scenario_without(own_run):
    """Nothing is promised that the study did not ask for."""
    change_options(own_run, "uncertainty", method="none")
    assert scenario_fusion(own_run, Scenario("x", method="equal")).interval is None


# ---- runs without scenarios ---------------------------------------------------------------------------------------------


def test_classes_have_no_scenarios(class_run):
    """Asked before and after: a reason, not a traceback."""
    assert obstacle(class_run) == "classes"
    with pytest.raises(StudyError, match="classes"):
        scenario_fusion(class_run, Scenario("x", method="equal"))


@pytest.mark.parametrize(("section", "values"), [("bias", {"method": "residual"}), ("kriging", {"residual": True})])
def test_a_residual_model_has_no_scenarios(own_run, section, values):
    """It was fitted for its own weights; even saving is refused."""
    change_options(own_run, section, **values)
    assert obstacle(own_run) == "residual"
    for scenario in (Scenario("x", method="equal"), default_scenario(own_run)):
        with pytest.raises(StudyError, match="residual"):
            scenario_fusion(own_run, scenario)
    with pytest.raises(StudyError, match="residual"):
        save_scenario(own_run, MINE)


def test_an_unfinished_run_says_so(own_run):
    """Without the pairs there is nothing to fit on."""
    (own_run.folder / INNER).unlink()
    assert "not fitted yet" in supports_scenarios(own_run)
    with pytest.raises(StudyError, match="not fitted yet"):
        scenario_fusion(own_run, Scenario("x", method="equal"))


# ---- values -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [
        {"method": "magic"},
        {"correction": "isotonic"},
        {"correction": "residual"},
        {"blend": 1.5},
        {"blend": float("nan")},
        {"blend": "0.5"},
        {"blend": True},
        {"gamma": -1.0},
        {"power": 0.0},
        {"bandwidth": float("inf")},
        {"note": "x" * 1001},
        {"note": None},
        {"method": "manual"},
        {"method": "manual", "weights": {"forest": -1.0}},
        {"method": "manual", "weights": {"forest": 0.0}},
        {"method": "manual", "weights": {"forest": 1e308, "boosted": 1e308}},
        {"method": "manual", "weights": {"forest": float("nan")}},
        {"method": "manual", "weights": [1.0, 2.0]},
        {"method": "manual", "weights": {1: 2.0}},
        {"colour": "red"},
    ],
    ids=str,
)
def test_nonsense_is_refused(values):
    """From a file, a link or a form: never a fusion of it."""
    with pytest.raises(StudyError):
        Scenario.from_dict({"name": "x", **values})


@pytest.mark.parametrize("content", [None, [], "x", {}, {"name": 3}, {"name": "x", "name2": 1}], ids=str)
def test_what_is_no_scenario_is_refused(content):
    """A file can hold anything."""
    with pytest.raises(StudyError):
        Scenario.from_dict(content)


@pytest.mark.parametrize(
    "name", ["", "a b", "../up", "a/b", "a.json", "-a", "_a", "a" * 42, "ä", "a\n", "CON:", None, 7], ids=repr
)
def test_names_that_could_leave_the_folder_are_refused(dashboard_run, name):
    """For making, loading and deleting alike."""
    with pytest.raises(StudyError):
        Scenario(name)
    for use in (load_scenario, delete_scenario):
        with pytest.raises(StudyError):
            use(dashboard_run, name)


def test_the_key_tells_fusions_apart_and_nothing_else():
    """Weights count by their shares; what a method does not use does not count."""
    double = replace(MINE, name="other", note="", weights={"boosted": 6.0, "forest": 2.0, "third": 0.0})
    assert double.key == MINE.key
    assert double.fingerprint == MINE.fingerprint
    assert replace(MINE, blend=0.9).key == MINE.key  # zscore has no lambda
    assert replace(MINE, correction="blend", blend=0.9).key != replace(MINE, correction="blend").key
    assert replace(MINE, method="bias_aware", gamma=2.0).key != replace(MINE, method="bias_aware").key


# ---- files --------------------------------------------------------------------------------------------------------------


def test_saved_listed_loaded_replaced_deleted(own_run):
    """The life of a scenario."""
    assert list_scenarios(own_run) == ()
    path = save_scenario(own_run, MINE)
    assert path == own_run.folder / FOLDER / "mine.json"
    save_scenario(own_run, Scenario("another", method="equal"))
    assert [scenario.name for scenario in list_scenarios(own_run)] == ["another", "mine"]
    assert load_scenario(own_run, "mine") == MINE
    save_scenario(own_run, replace(MINE, blend=0.1, note=""))
    assert load_scenario(own_run, "mine").note == ""
    delete_scenario(own_run, "mine")
    with pytest.raises(StudyError, match="It has study, another"):
        load_scenario(own_run, "mine")
    with pytest.raises(StudyError, match="no saved scenario"):
        delete_scenario(own_run, "mine")


def test_the_studys_own_can_be_loaded_but_neither_saved_nor_deleted(own_run):
    """Its name is taken."""
    assert load_scenario(own_run, DEFAULT) == default_scenario(own_run)
    with pytest.raises(StudyError, match="another name"):
        save_scenario(own_run, default_scenario(own_run))
    with pytest.raises(StudyError):
        delete_scenario(own_run, DEFAULT)


@pytest.mark.parametrize("text", ["[1, 2]", '{"name": "x", "blend": NaN}', '{"weights": {"forst": 1}, "method": "manual"}'])
def test_a_file_that_holds_something_else_is_named_not_used(own_run, text):
    """Edited by hand, or from another run."""
    save_scenario(own_run, MINE)
    (own_run.folder / FOLDER / "mine.json").write_text(text)
    with pytest.raises(StudyError):
        load_scenario(own_run, "mine")


def test_the_name_is_that_of_the_file(own_run):
    """A copied file is a scenario of its own."""
    path = save_scenario(own_run, MINE)
    shutil.copy(path, path.with_name("copy.json"))
    assert load_scenario(own_run, "copy").name == "copy"


# ---- links --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "scenario", [MINE, Scenario("a", method="least_squares", correction="blend", blend=0.125), Scenario("b", method="equal")]
)
def test_a_link_carries_a_scenario_there_and_back(dashboard_run, scenario):
    """Written, read, the same fusion."""
    query = to_query(scenario, learner_names(dashboard_run))
    assert all(isinstance(value, str) for value in query.values())
    assert from_query({**query, "lang": "zh"}, dashboard_run).key == scenario.key


def test_a_link_without_a_scenario_carries_none(dashboard_run):
    """Other parameters are not ours."""
    assert from_query({"run": "a/b", "lang": "en"}, dashboard_run) is None


def test_what_a_link_leaves_out_is_as_in_the_study(dashboard_run):
    """Only lambda: the study's weights and correction."""
    found = from_query({"lambda": "0.2"}, dashboard_run)
    own = default_scenario(dashboard_run)
    assert found.key == replace(own, name="x", blend=0.2).key
    assert from_query({"preset": DEFAULT}, dashboard_run) == own
    assert from_query({"weights": "1,1"}, dashboard_run).method == "manual"


@pytest.mark.parametrize(
    "query",
    [
        {"weights": "1"},
        {"weights": "1,2,3"},
        {"weights": "1,-2"},
        {"weights": "0,0"},
        {"weights": "nan,1"},
        {"weights": "inf,1"},
        {"weights": ""},
        {"weights": "," * 100_000},
        {"preset": "magic"},
        {"correction": "isotonic"},
        {"lambda": "7"},
        {"lambda": "x" * 1000},
        {"lambda": "nan"},
        {"preset": "manual"},
    ],
    ids=lambda query: str(query)[:40],
)
def test_a_link_with_nonsense_is_refused_with_a_short_reason(dashboard_run, query):
    """The page says so and shows the study's own."""
    with pytest.raises(StudyError) as fault:
        from_query(query, dashboard_run)
    assert len(str(fault.value)) < 300


# ---- the command line ---------------------------------------------------------------------------------------------------


def test_the_command_line_lists_and_exports_scenarios(own_run, monkeypatch, capsys, tmp_path):
    """What was saved in the browser can be written as a raster by name."""
    save_scenario(own_run, replace(MINE, note="with [brackets] and [/]"))
    monkeypatch.setattr("sys.argv", ["alm", "scenarios", str(own_run.folder)])
    with pytest.raises(SystemExit) as leaving:
        cli.main()
    assert leaving.value.code == 0
    assert "mine" in capsys.readouterr().out
    out = tmp_path / "mine.tif"
    monkeypatch.setattr("sys.argv", ["alm", "export", str(own_run.folder), "--scenario", "mine", "--out", str(out)])
    with pytest.raises(SystemExit) as leaving:
        cli.main()
    assert leaving.value.code == 0
    assert check_pixels(own_run, out) > 100


def check_pixels(run: Run, exported: Path) -> int:
    """Number of cells whose exported value is that of the scenario's fusion of the members, to float32."""
    from alm_core.mapping.cog import open_raster

    with open_raster(run.file("map/members.tif")) as source, open_raster(exported) as result:
        members = source.read(masked=True).filled(np.nan).astype(float)
        value = result.read(1, masked=True).filled(np.nan)
        assert json.loads(json.dumps(result.tags()))["scenario"] == "mine"
    fusion: Fusion = scenario_fusion(run, MINE)
    expected = fusion.predict(members).value
    here = np.isfinite(expected)
    assert np.array_equal(np.isfinite(value), here)
    np.testing.assert_allclose(value[here], expected[here].astype(np.float32), rtol=1e-6)
    return int(here.sum())
