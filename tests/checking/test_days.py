"""`check` of a study of days."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from alm_core.checking import check
from tests.cubes.day_files import days, write_geotiff, write_netcdf

STUDY = """
[study]
name = "days"
licence = "CC0"
[target]
name = "state"
task = "classification"
[grid]
crs = "EPSG:4326"
resolution = 1.0
bounds = {west = 80, south = 30, east = 84, north = 32}
[days]
first = 2011-01-01
last = 2011-01-04
[days.labels]
variable = "state"
[[days.variables]]
name = "tb"
path = "tb_*.nc"
quantity = "brightness_temperature"
[[days.variables]]
name = "state"
path = "state.tif"
quantity = "state"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A study of four days without a fault."""
    for day in range(4):
        write_netcdf(tmp_path / f"tb_{day}.nc", days(1), times=[day])
    write_geotiff(tmp_path / "state.tif", np.ones((4, 2, 4), np.uint8), dates=[f"2011-01-0{day}" for day in (1, 2, 3, 4)])
    (tmp_path / "study.toml").write_text(STUDY, encoding="utf-8")
    return tmp_path


def found(folder: Path) -> dict[str, str]:
    """Severity and text of every fault, by code and place."""
    return {f"{fault.code} {fault.where}": f"{fault.severity}: {fault.message}" for fault in check(folder / "study.toml").faults}


def test_a_sound_study(folder):
    """Grid, days and unit of every variable, and nothing else."""
    assert found(folder) == {
        "days_found days tb": (
            "note: 4 files, 2011-01-01T00:00:00 to 2011-01-04T00:00:00 (by time axis); TB in K; 2 x 4 cells of 1 x 1 degrees, "
            "EPSG:4326; orbit not told."
        ),
        "days_found days state": (
            "note: 1 file, 2011-01-01T00:00:00 to 2011-01-04T00:00:00 (by band); state in no unit; 2 x 4 cells of 1 x 1 degrees, "
            "EPSG:4326; orbit not told."
        ),
    }


def test_missing_days_and_files(folder):
    """Days are counted; a pattern without files is a missing file."""
    (folder / "tb_2.nc").unlink()
    assert found(folder)["days_missing days tb"] == "warning: 1 of 4 days have no file; they will be missing."
    (folder / "state.tif").unlink()
    assert found(folder)["file_missing days state state.tif"].startswith("error: There is no file")


@pytest.mark.parametrize(
    ("old", "new", "code", "text"),
    [
        ('path = "tb_*.nc"', 'path = "tb_*.nc"\nvariable = "Tb"', "days_unusable", "no variable 'Tb'. Fields in it: TB"),
        ('path = "tb_*.nc"', 'path = "tb_*.nc"\nunit = "m3 m-3"', "days_unusable", "'K' and 'm3 m-3' is wanted"),
        ('path = "tb_*.nc"', 'path = "tb_*.nc"\nminimum = 300', "days_range", "8 of 8 values"),
        ("2011-01-04", "2011-01-04\n", "days_found", "4 files"),
    ],
)
def test_faults_of_a_variable(folder, old, new, code, text):
    """Each once, though every file has it."""
    (folder / "study.toml").write_text(STUDY.replace(old, new), encoding="utf-8")
    assert text in found(folder)[f"{code} days tb"]


def test_another_period(folder):
    """None of the days is asked for."""
    (folder / "study.toml").write_text(STUDY.replace("2011-01-0", "2012-01-0"), encoding="utf-8")
    assert found(folder)["days_outside days tb, days state"].startswith("error: None of")


def test_a_damaged_file_and_an_empty_one(folder):
    """The last file is opened too; a first step without values is told."""
    (folder / "tb_3.nc").write_bytes(b"\x89HDF\r\n\x1a\n")
    write_netcdf(folder / "tb_0.nc", np.full((1, 2, 4), np.nan))
    faults = found(folder)
    assert "is it whole" in faults["days_unusable days tb"]
    assert faults["days_empty days tb"] == "warning: The first step of tb_0.nc has no value on the grid."


def test_a_table_of_states(folder):
    """Read as the run reads it."""
    text = STUDY.replace('variable = "state"\n[[', 'table = "states.csv"\n[[', 1)
    (folder / "study.toml").write_text(text, encoding="utf-8")
    rows = ["site,date,longitude,latitude,value", "a,2011-01-01,80.5,31.5,-3", "a,2011-01-02,80.5,31.5,2"]
    (folder / "states.csv").write_text("\n".join(rows), encoding="utf-8")
    assert found(folder)["days_found days.labels"] == "note: 2 days of 1 sites, 1 of them frozen."
    (folder / "states.csv").write_text("\n".join([*rows, "a,2011-01-03,80.5,31.5,273"]), encoding="utf-8")
    assert found(folder)["table_unreadable days.labels"].startswith("error:")


def test_faults_of_the_file_itself(folder):
    """What can be read is checked all the same."""
    (folder / "study.toml").write_text(STUDY.replace('quantity = "state"', 'quantitty = "state"'), encoding="utf-8")
    faults = found(folder)
    assert "Did you mean `quantity`?" in faults["study_option days.variables.2.quantitty"]
    assert "days_found days tb" in faults
    (folder / "study.toml").write_text(STUDY.replace('variable = "state"', 'variable = "status"'), encoding="utf-8")
    assert "Labels asks for 'status'" in found(folder)["study_option days"]
