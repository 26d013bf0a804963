"""Readers of runs of days: codes, series of a place, phenology, scores, files."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from alm_core.cubes.states import FROZEN, THAWED, UNKNOWN
from alm_core.errors import DomainError, MissingFileError, StudyError
from alm_core.inspection.days import day_maps, is_of_days, onset_date, phenology, to_codes, trend, year_codes
from alm_core.inspection.days_files import year_files
from alm_core.inspection.days_place import day_place, product_states
from alm_core.inspection.days_scores import day_scores, importance, is_matrix
from alm_core.inspection.run_overview import run_overview
from alm_core.workspace import Run, read_json, write_json
from tests.day_pages_run import FIRST, GRID, LAST, UNKNOWN_DAY, place_of, states, temperatures, write_day_run

INSIDE = (90.1, 33.1)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of days."""
    return write_day_run(tmp_path_factory.mktemp("days") / "workspace")


def test_a_run_of_days_is_known_and_others_are_not(run: Run, dashboard_run: Run) -> None:
    """By its options; what is no run is none."""
    assert is_of_days(run)
    assert not is_of_days(dashboard_run)
    assert not is_of_days(Run(run.folder / "nothing"))
    with pytest.raises(StudyError, match="no days"):
        day_maps(dashboard_run)


def test_codes_of_a_year_are_state_and_probability(run: Run) -> None:
    """Every cell and day, whole or in parts; 2015 begins at its first of January."""
    state, percent = states(temperatures()[0])
    start = place_of(date(2015, 1, 1))
    found = year_codes(run, 2015)
    assert found.shape == (365, day_maps(run).cells.size)
    known = state[start : start + 365] != UNKNOWN
    assert np.array_equal(found == UNKNOWN, ~known)
    assert np.array_equal(found[known] >= 128, state[start : start + 365][known] == FROZEN)
    assert np.array_equal(found[known] & 127, percent[start : start + 365][known])
    assert np.array_equal(year_codes(run, 2015, 100, 130), found[100:130])


def test_a_state_without_probability_is_unknown() -> None:
    """And no code of a known one is taken for unknown."""
    codes = to_codes(np.array([THAWED, FROZEN, FROZEN, UNKNOWN], np.uint8), np.array([0, 100, UNKNOWN, 40], np.uint8))
    assert codes.tolist() == [0, 228, UNKNOWN, UNKNOWN]


def test_a_place_has_its_own_series(run: Run) -> None:
    """State and probability of the cell under it on every day, leap day too; products by their codes."""
    found = day_place(run, *INSIDE)
    state, percent = states(temperatures()[0])
    assert found.dates[0] == np.datetime64(FIRST)
    assert found.dates[-1] == np.datetime64(LAST)
    assert np.array_equal(found.state, state[:, found.cell])
    assert np.array_equal(found.percent[state[:, found.cell] != UNKNOWN], percent[:, found.cell][state[:, found.cell] != UNKNOWN])
    assert np.isnan(found.percent[place_of(UNKNOWN_DAY)])
    assert (GRID.y[found.row], GRID.x[found.column]) == (33.125, 90.125)
    assert np.isnan(found.products["check"][::2]).all()
    assert np.isfinite(found.products["check"][1::2]).all()
    assert np.mean(found.products["labels"] == (temperatures()[0][:, found.cell] < 0)) > 0.9
    assert found.place_of(date(2016, 2, 29)) == place_of(date(2016, 2, 29))
    assert found.place_of(date(2030, 1, 1)) is None
    assert [year.freeze_onset for year in found.years] == [date(2014, 10, 18), date(2015, 10, 14)]
    assert found.to_dict()["years"][0]["thaw_onset"] == "2015-04-30"


def test_places_without_a_cell_have_no_series(run: Run) -> None:
    """Outside the grid, in the row that is not mapped; what is no place is refused."""
    assert day_place(run, 10.0, 10.0) is None
    assert day_place(run, 90.0, 34.9) is None
    with pytest.raises(DomainError):
        day_place(run, 90.0, 200.0)


def test_product_codes_that_nobody_named_are_missing() -> None:
    """Frozen and thawed by their codes, all else NaN."""
    found = product_states(np.array([2.0, 1.0, 0.0, np.nan]), {"frozen": [2], "thawed": [1]})
    assert found[:2].tolist() == [1.0, 0.0]
    assert np.isnan(found[2:]).all()


def test_phenology_and_trend_are_those_of_the_files(run: Run) -> None:
    """By name; an unknown one is refused by name."""
    found = phenology(run, "frozen_days")
    assert found.years == ("2014", "2015")
    assert not found.is_date
    assert found.values.shape == (2, day_maps(run).cells.size)
    slope = trend(run, "frozen_days")
    assert np.allclose(slope["slope"], (found.values[1] - found.values[0]) * 10)
    assert slope["p_value"][0] == 0
    assert slope["p_value"][-1] == 1
    with pytest.raises(StudyError, match="snow"):
        phenology(run, "snow")


def test_onsets_become_dates() -> None:
    """Of a year that begins in July; no value, no date."""
    assert onset_date(0, "2015", 7) == date(2015, 7, 1)
    assert onset_date(244, "2015", 7) == date(2016, 3, 1)
    assert onset_date(float("nan"), "2015", 7) is None
    assert onset_date(3, "all", 7) is None


def test_scores_are_read_by_scheme_and_set(run: Run) -> None:
    """Three sets of the random split and the check; the discriminants last; what random hides."""
    found = day_scores(run)
    assert found.headline == "year"
    assert found.learners[0] == "extra_trees"
    assert list(found.sets("random", "extra_trees")) == ["training", "validation", "test", "check"]
    assert list(found.sets("year", "extra_trees")) == ["test", "check"]
    random, honest = found.hidden
    assert random > honest + 0.03
    assert set(found.groups("year", "extra_trees")) == {"season", "transition", "year", "land_cover", "elevation"}
    assert found.groups("year", "nobody") == {}
    assert found.sets("year", "nobody") == {}


def test_predictors_are_ranked(run: Run) -> None:
    """The largest first; none where there is no file."""
    assert list(importance(run)) == ["tb_36v", "tb_18h"]
    assert importance(Run(run.folder / "nothing")) == {}


def test_half_a_file_of_scores_raises_nothing(run: Run, tmp_path: Path) -> None:
    """No check, no leaks, a matrix of nothing."""
    other = write_day_run(tmp_path / "workspace")
    write_json(
        other.folder / "metrics.json", {"schemes": {"year": {"extra_trees": {"confusion": [[0, 0], [0, 0]]}}}, "check": None}
    )
    found = day_scores(other)
    assert found.headline == "year"
    assert found.hidden is None
    assert found.sets("year", "extra_trees") == {}
    assert not is_matrix(None)
    assert not is_matrix([[1, 2]])
    assert is_matrix([[1, 0], [0, 0]])


def test_the_overview_tells_days(run: Run) -> None:
    """Span, scheme, accuracy with its interval."""
    found = run_overview(run)
    assert not found.fault
    assert found.finished
    assert found.days == ("2014-07-01", "2016-06-30")
    assert (found.scheme, found.task, found.level) == ("year", "classification", None)
    assert [score.name for score in found.scores] == ["overall_accuracy", "kappa"]
    assert found.scores[0].low < found.scores[0].value < found.scores[0].high


def test_yearly_files_are_listed(run: Run) -> None:
    """NetCDF alone, in the order of time."""
    assert [(one.year, one.path.name) for one in year_files(run)] == [(year, f"state_{year}.nc") for year in (2014, 2015, 2016)]


def test_an_unmapped_run_says_so(tmp_path: Path) -> None:
    """Cubes alone are no map; a map of other days is refused."""
    other = write_day_run(tmp_path / "workspace")
    record = read_json(other.folder / "run.json")
    (other.folder / "map/days/state_2015.tif").unlink()
    assert day_maps(other).years == (2014, 2016)
    (other.folder / "map/days/state_2014.tif").rename(other.folder / "map/days/state_2015.tif")
    assert day_maps(other).years == (2015, 2016)
    write_json(other.folder / "run.json", record)
    with pytest.raises(StudyError, match="184 days, 365"):
        year_codes(other, 2015)
    for path in (other.folder / "map/days").glob("state_*.tif"):
        path.unlink()
    write_json(other.folder / "run.json", record)
    with pytest.raises(MissingFileError):
        day_maps(other)
