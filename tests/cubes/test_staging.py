"""Bringing files of days onto the mapped cells: days, gaps, faults."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from alm_core.cubes import staging
from alm_core.cubes.staging import CubeSource, Regridders, stage_variable
from alm_core.cubes.store import Variable
from alm_core.errors import DomainError, MissingFileError, NodataError, RasterError
from tests.cubes.day_files import GRID, days, write_geotiff, write_netcdf

TB = Variable("tb", "K", "brightness_temperature", 18.7, "H", "descending")
CELLS = np.array([0, 3, 5])
FIRST = date(2011, 1, 1)


def staged(folder: Path, files: list[Path], *, count: int = 5, variable: Variable = TB, **options):
    """The array and the facts."""
    source = CubeSource(variable, tuple(files), **{"low": 50.0, "high": 340.0, **options})
    facts = stage_variable(source, Regridders(GRID, CELLS), FIRST, count, folder / "out.npy")
    return np.load(folder / "out.npy"), facts


def on_cells(values: np.ndarray) -> np.ndarray:
    """[day, row, column] at the mapped cells."""
    return values.reshape(len(values), -1)[:, CELLS].astype(np.float32)


def test_one_file_of_many_days(tmp_path):
    """Days before and after the period are left out, and counted."""
    path = write_netcdf(tmp_path / "a_D.nc", days(9), times=np.arange(-2, 7))
    values, facts = staged(tmp_path, [path])
    assert np.array_equal(values, on_cells(days(9)[2:7]))
    assert (facts["steps"], facts["steps_outside"], facts["days_missing"], facts["valid"]) == (5, 4, 0, 15)
    assert (facts["regridding"], facts["orbit"], facts["unit"]) == ("cells agree: copied", "descending", "K")
    assert facts["mean"] == pytest.approx(on_cells(days(9)[2:7]).mean())


def test_a_file_a_day_with_gaps(tmp_path):
    """Missing days are rows of NaN, counted; the date comes from the name."""
    files = [write_geotiff(tmp_path / f"tb_201100{day}.tif", days(day)[-1:].astype(np.float32)) for day in (1, 2, 5)]
    values, facts = staged(tmp_path, files)
    assert np.isnan(values).all(axis=1).tolist() == [False, False, True, True, False]
    assert np.array_equal(values[4], on_cells(days(5))[4])
    assert (facts["days_missing"], facts["days_empty"], facts["timed_by"]) == (2, 0, "file name")
    assert facts["notes"] == [
        "the files declare no unit: values are taken as K",
        "the files do not tell their orbit: taken as descending",
    ]


def test_too_many_gaps(tmp_path):
    """Refused, and nothing is left behind."""
    path = write_netcdf(tmp_path / "a.nc", days(2))
    with pytest.raises(DomainError, match="Daily variable tb: 3 of 5 days have no file and 0 no value"):
        staged(tmp_path, [path])
    assert [one.name for one in tmp_path.iterdir()] == ["a.nc"]
    assert staged(tmp_path, [path], most_missing_days=0.6)[1]["days_missing"] == 3


def test_steps_of_a_day_are_averaged(tmp_path):
    """In one file and over files, over the steps that have a value; unordered times too."""
    stored = np.stack([np.full((2, 4), level) for level in (250.0, 260.0, 300.0, 270.0)])
    stored[1, 0, 0] = np.nan
    first = write_netcdf(tmp_path / "a.nc", stored, times=[0, 6, 24, 12], time_units="hours since 2011-01-01")
    later = write_netcdf(tmp_path / "b.nc", np.full((1, 2, 4), 280.0), times=[18], time_units="hours since 2011-01-01")
    values, facts = staged(tmp_path, [first, later], count=2)
    assert values[0] == pytest.approx([(250 + 270 + 280) / 3, 265.0, 265.0])
    assert values[1].tolist() == [300.0] * 3
    assert (facts["steps"], facts["days_averaged"]) == (5, 1)


def test_states_are_not_averaged(tmp_path):
    """Two steps of one day are refused."""
    path = write_netcdf(tmp_path / "a.nc", np.ones((2, 2, 4)), times=[0, 0.5], name="state", unit="")
    with pytest.raises(DomainError, match="2011-01-01 has several steps"):
        staged(tmp_path, [path], count=1, variable=Variable("state", "1", "state"))


def test_codes_are_counted(tmp_path):
    """Whatever unit the file gives them."""
    stored = np.zeros((2, 2, 4))
    stored[1, 0, 3] = 254
    path = write_netcdf(tmp_path / "a.nc", stored, name="state", unit="class code")
    _, facts = staged(tmp_path, [path], count=2, variable=Variable("state", "1", "state"), low=None, high=None)
    assert (facts["codes"], facts["unit"]) == ({"0": 5, "254": 1}, "1")


def test_the_same_day_in_two_files(tmp_path):
    """Identical is counted; anything else is refused with both names."""
    one = write_netcdf(tmp_path / "a.nc", days(2))
    same = write_netcdf(tmp_path / "b.nc", days(2)[1:], times=[1])
    other = write_netcdf(tmp_path / "c.nc", days(2)[1:] + 1, times=[1])
    values, facts = staged(tmp_path, [one, same], count=2)
    assert np.array_equal(values, on_cells(days(2)))
    assert (facts["days_twice"], facts["steps"]) == (1, 2)
    with pytest.raises(RasterError, match=r"2011-01-02T00:00:00 comes in two files with different values: a.nc and c.nc"):
        staged(tmp_path, [one, other], count=2)
    with pytest.raises(RasterError, match="gives a time twice"):
        staged(tmp_path, [write_netcdf(tmp_path / "d.nc", days(2), times=[1, 1])], count=2)


def test_0_and_400_kelvin(tmp_path):
    """Missing, and counted; nothing else is refused, unless nothing else is there."""
    stored = days(5)
    stored[0, 0, 0], stored[1, 0, 0], stored[2, 1, 1] = 0.0, 400.0, np.inf
    path = write_netcdf(tmp_path / "a.nc", stored)
    values, facts = staged(tmp_path, [path])
    assert np.isnan(values).sum() == facts["out_of_range"] == 3
    wrong = write_netcdf(tmp_path / "b.nc", np.where(days(5) > 0, 400.0, 0.0))
    with pytest.raises(DomainError, match="All 15 values that are not missing are out of range: 50 to 340 K"):
        staged(tmp_path, [wrong])


def test_degrees_celsius_become_kelvin_before_the_limits(tmp_path):
    """-20 degree Celsius is a temperature."""
    path = write_netcdf(tmp_path / "a.nc", np.full((5, 2, 4), -20.0), unit="degC")
    values, facts = staged(tmp_path, [path])
    assert (values == np.float32(253.15)).all()
    assert (facts["unit_in_files"], facts["unit"]) == ("degC", "K")


def test_nothing_there(tmp_path):
    """Only fills, no step in the period, no file."""
    with pytest.raises(NodataError, match="All 15 values at the mapped cells are missing"):
        staged(tmp_path, [write_netcdf(tmp_path / "a.nc", np.full((5, 2, 4), np.nan))])
    with pytest.raises(MissingFileError, match="No step lies in the period"):
        staged(tmp_path, [write_netcdf(tmp_path / "b.nc", days(2), times=[700, 701])])
    with pytest.raises(MissingFileError, match="is not there"):
        staged(tmp_path, [tmp_path / "c_*.nc"])


@pytest.mark.parametrize(
    ("names", "attributes", "text"),
    [
        (("tb_20110101_A.nc", "tb_20110102_D.nc"), {}, "Its files mix orbits: tb_20110102_D.nc is descending"),
        (("tb_20110101_A.nc",), {}, "tells that its orbit is ascending; the study says descending"),
        (("tb-E-1.nc", "tb-M-1.nc"), {}, "Its files mix orbits: tb-M-1.nc is morning"),
        (("a.nc",), {"frequency_and_polarization": "18V"}, "holds V polarisation; the study says H"),
        (("a.nc",), {"frequency_and_polarization": "36H"}, "channel of 36 GHz; the study says 18.7"),
    ],
)
def test_files_of_another_orbit_or_channel(tmp_path, names, attributes, text):
    """Refused by attributes and names; an ascending first file is taken where nothing is declared."""
    files = [write_netcdf(tmp_path / name, days(1), times=[place], attributes=attributes) for place, name in enumerate(names)]
    variable = Variable("tb", "K", "brightness_temperature", 18.7, "H", "" if len(names) == 2 else "descending")
    with pytest.raises(RasterError, match=text):
        staged(tmp_path, files, variable=variable)


def test_coarse_labels_are_told(tmp_path):
    """Cells five times as wide as those of the study."""
    path = write_netcdf(tmp_path / "a.nc", np.ones((5, 2, 2)), x=np.array([77.5, 82.5]), y=np.array([32.5, 27.5]), unit="")
    _, facts = staged(tmp_path, [path], variable=Variable("state", "1", "state"), low=None, high=None)
    assert facts["notes"] == ["its cells are 5.0 times as wide as those of the study: neighbours share values"]
    assert facts["regridding"] == "nearest, a source cell spans 5.00 cells"


def test_a_part_out_of_reach_is_told(tmp_path):
    """Cells without a source stay missing."""
    path = write_netcdf(tmp_path / "a.nc", days(5)[:, :, :2], x=np.array([80.5, 81.5]))
    values, facts = staged(tmp_path, [path])
    assert np.isnan(values[:, 1]).all()
    assert "it does not reach 1 of 3 mapped cells" in facts["notes"]


def test_parts_make_no_difference(tmp_path, monkeypatch):
    """Read at once or a step at a time: the same to the last digit, and the same facts."""
    stored = np.random.default_rng(3).normal(260, 5, (40, 4, 6))
    stored[stored > 265] = np.nan
    axes = {"x": np.arange(79.3, 85, 1.0), "y": np.arange(33.1, 29.5, -1.0)}
    path = write_netcdf(tmp_path / "a.nc", stored, times=np.arange(40) / 4, **axes)
    whole, facts = staged(tmp_path, [path], count=10)
    monkeypatch.setattr(staging, "RAW_BYTES", 1)
    monkeypatch.setattr(staging, "WORK_VALUES", 1)
    parts, others = staged(tmp_path, [path], count=10)
    assert np.allclose(whole, parts, rtol=3e-7, atol=0, equal_nan=True)
    assert {**facts, "mean": 0} == {**others, "mean": 0}
