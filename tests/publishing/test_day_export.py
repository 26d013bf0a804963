"""A day, or a freezing year, as a file of its own."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
import rasterio

from alm_core.cli import main
from alm_core.errors import EngineError, MissingFileError, StudyError
from alm_core.pipeline import estimate, study_engine
from alm_core.publishing.day_export import export_day, export_freezing_years, parse_day
from alm_core.study import Study
from tests.day_pages_run import GRID, UNKNOWN_DAY, day_options, place_of, states, temperatures, write_day_run

DAY = date(2015, 3, 1)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run of days; read-only."""
    return write_day_run(tmp_path_factory.mktemp("export"))


def expected(day):
    """State and per cent of a day, ``[row, column]``."""
    celsius, cells = temperatures()
    found = []
    for values in states(celsius):
        full = np.full(GRID.size, 255, np.uint8)
        full[cells] = values[place_of(day)]
        found.append(full.reshape(GRID.shape))
    return found


def test_a_day_has_two_bands(run, tmp_path):
    """Cell for cell those of the map, with its tags."""
    result = export_day(run, tmp_path / "day.tif", DAY)
    assert (result.bands, result.valid_cells) == (("state", "probability"), GRID.size - GRID.shape[1])
    with rasterio.open(tmp_path / "day.tif") as dataset:
        assert dataset.dtypes == ("uint8", "uint8")
        assert dataset.nodata == 255
        assert np.array_equal(dataset.read(), expected(DAY))
        assert (dataset.tags()["day"], dataset.tags()["layer"]) == ("2015-03-01", "day")


def test_a_box_is_cut_without_a_shift(run, tmp_path):
    """Four cells a degree."""
    export_day(run, tmp_path / "box.tif", DAY, bbox=(89, 33, 90, 34))
    with rasterio.open(tmp_path / "box.tif") as dataset:
        assert dataset.bounds[:] == (89, 33, 90, 34)
        assert np.array_equal(dataset.read(1), expected(DAY)[0][4:8, 4:8])


def test_a_day_without_data_is_written_and_said(run, tmp_path):
    """It is nodata everywhere."""
    result = export_day(run, tmp_path / "none.tif", UNKNOWN_DAY)
    assert result.valid_cells == 0
    assert "nodata" in result.notes[0]


def test_a_freezing_year_or_all_of_them(run, tmp_path):
    """By the year in which it begins."""
    assert export_freezing_years(run, tmp_path / "all.tif", "freeze_onset").bands == ("2014", "2015")
    assert export_freezing_years(run, tmp_path / "one.tif", "freeze_onset", year=2015).bands == ("2015",)
    with rasterio.open(tmp_path / "one.tif") as one, rasterio.open(run.file("map/phenology/freeze_onset.tif")) as whole:
        assert np.array_equal(one.read(1), whole.read(2), equal_nan=True)
    with pytest.raises(StudyError, match="has no year 2016: it has 2014, 2015"):
        export_freezing_years(run, tmp_path / "x.tif", "freeze_onset", year=2016)
    with pytest.raises(StudyError, match="no layer 'thaw'"):
        export_freezing_years(run, tmp_path / "x.tif", "thaw")


def test_what_can_not_be_had_is_said(run, dashboard_run, tmp_path):
    """A run without days, a day outside, no date at all."""
    with pytest.raises(StudyError, match="no days"):
        export_day(dashboard_run, tmp_path / "x.tif", DAY)
    with pytest.raises(MissingFileError, match="2016-07-01 was not mapped: this run has the days from 2014-07-01 to 2016-06-30"):
        export_day(run, tmp_path / "x.tif", date(2016, 7, 1))
    with pytest.raises(StudyError, match="'1 March' is no day"):
        parse_day("1 March")
    assert not (tmp_path / "x.tif").exists()


CALLS = {
    "a day": (["--day", "2015-03-01"], 0, "176 cells"),
    "a day in a box": (["--day", "2015-03-01", "--bbox", "89", "33", "90", "34"], 0, "16 cells"),
    "an onset": (["--layer", "freeze_onset", "--year", "2014"], 0, "of 192"),
    "neither day nor layer": ([], 1, "give --day"),
    "a day and a layer": (["--day", "2015-03-01", "--layer", "freeze_onset"], 1, "leave --layer"),
    "a day with weights": (["--day", "2015-03-01", "--weights", "extra_trees=1"], 1, "leave them out"),
}


@pytest.mark.parametrize("name", CALLS)
def test_command_line(run, tmp_path, monkeypatch, capsys, name):
    """Each way to ask, and its exit code."""
    words, code, told = CALLS[name]
    monkeypatch.setattr("sys.argv", ["alm_core", "export", str(run.folder), "--out", str(tmp_path / "out.tif"), *words])
    with pytest.raises(SystemExit) as ended:
        main()
    shown = capsys.readouterr()
    assert (ended.value.code or 0) == code
    assert told in " ".join((shown.out + shown.err).split())


def test_other_commands_know_runs_of_days(run, tmp_path, monkeypatch, capsys):
    """The list names the scheme that answers; there is no estimate and no cluster for days."""
    monkeypatch.setattr("sys.argv", ["alm_core", "list", "--workspace", str(run.folder.parents[1])])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    assert "year" in capsys.readouterr().out
    study = Study(day_options(), tmp_path)
    with pytest.raises(StudyError, match="no estimate"):
        estimate(study, workspace=tmp_path)
    with pytest.raises(EngineError, match="threads"):
        study_engine(study, workers=None, engine="dask", scheduler=None)
