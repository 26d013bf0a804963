"""The stage that brings daily files onto the grid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from alm_core.cubes.store import CubeStore
from alm_core.errors import DomainError
from alm_core.pipeline import input_hashes
from alm_core.progress import Event, Reporter
from alm_core.stages import day_cubes
from alm_core.stages.context import Context
from alm_core.stages.data import stage_covariates
from alm_core.stages.day_cubes import stage_cubes
from alm_core.study import Study
from tests.cubes.day_files import days, write_geotiff, write_netcdf

STUDY = """
[study]
name = "days"
[target]
name = "state"
task = "classification"
[grid]
crs = "EPSG:4326"
resolution = 1.0
bounds = {west = 80, south = 30, east = 84, north = 32}
mask = "mask.tif"
[days]
first = 2011-01-01
last = 2011-01-04
[days.labels]
variable = "state"
[[days.variables]]
name = "v18"
path = "tb/v_*.nc"
quantity = "brightness_temperature"
frequency_ghz = 18.7
polarisation = "V"
[[days.variables]]
name = "h18"
path = "tb/h_*.nc"
quantity = "brightness_temperature"
frequency_ghz = 18.7
polarisation = "H"
[[days.variables]]
name = "state"
path = "state.tif"
quantity = "state"
[[covariates]]
name = "elevation"
path = "elevation.tif"
"""
CELLS = [0, 1, 2, 6, 7]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A study of four days and five cells."""
    inside = np.zeros((1, 2, 4), np.uint8)
    inside.flat[CELLS] = 1
    write_geotiff(tmp_path / "mask.tif", inside)
    write_geotiff(tmp_path / "elevation.tif", days(1).astype(np.float32))
    for name, level in (("v", 250.0), ("h", 230.0)):
        for half in (0, 1):
            write_netcdf(tmp_path / "tb" / f"{name}_{half}.nc", days(2, level=level + 2 * half), times=[2 * half, 2 * half + 1])
    states = np.zeros((4, 2, 4), np.uint8)
    states[2:] = 2
    write_geotiff(tmp_path / "state.tif", states, dates=[f"2011-01-0{day}" for day in (1, 2, 3, 4)])
    (tmp_path / "study.toml").write_text(STUDY, encoding="utf-8")
    return tmp_path


def context(folder: Path, events: list[Event] | None = None) -> Context:
    """What the stage gets, with the covariates staged."""
    study, run = Study.load(folder), folder / "run"
    run.mkdir(exist_ok=True)
    hashes = input_hashes(study, folder)
    made = Context(study, run, "run", hashes, 1, Reporter("cubes", None if events is None else events.append))
    stage_covariates(Context(study, run, "run", hashes, 1, Reporter("covariates", None)))
    return made


def contents(files: list[Path]) -> dict[str, bytes]:
    """Every file by its name."""
    return {file.name: file.read_bytes() for file in files}


def test_every_variable_on_the_cells_of_the_mask(folder):
    """Values, units, days and what was found."""
    events: list[Event] = []
    stage_cubes(context(folder, events))
    store = CubeStore.open(folder / "run" / "cubes")
    assert store.cells.tolist() == CELLS
    assert [(one.name, one.unit, one.polarisation) for one in store.variables] == [
        ("v18", "K", "V"),
        ("h18", "K", "H"),
        ("state", "1", ""),
    ]
    assert np.array_equal(store.read("h18"), days(4, level=230.0).reshape(4, -1)[:, CELLS].astype(np.float32))
    assert store.facts["v18"]["files"] == 2
    assert store.facts["state"]["notes"] == [
        "no cell-day is frozen: code 1 never occurs",
        "code 2 (10 cell-days) means no state: missing",
    ]
    assert [(event.done, event.total) for event in events if not event.lasting][-1] == (5, 5)
    assert [event.message for event in events if event.lasting] == ["v18 (V) is below h18 (H) in 0.0% of 20 cell-days"]


def test_an_interrupted_stage_goes_on(folder, monkeypatch):
    """Finished variables are kept, the rest is done, and every byte is that of an undisturbed run."""
    whole = contents(stage_cubes(context(folder)))
    for file in (folder / "run" / "cubes").iterdir():
        file.unlink()
    real, done = day_cubes.stage_variable, []

    def until_the_second(source, *rest, **options):
        if source.variable.name == "h18":
            raise KeyboardInterrupt
        return real(source, *rest, **options)

    def noted(source, *rest, **options):
        done.append(source.variable.name)
        return real(source, *rest, **options)

    monkeypatch.setattr(day_cubes, "stage_variable", until_the_second)
    with pytest.raises(KeyboardInterrupt):
        stage_cubes(context(folder))
    assert not (folder / "run" / "cubes" / "cubes.json").exists()
    monkeypatch.setattr(day_cubes, "stage_variable", noted)
    assert contents(stage_cubes(context(folder))) == whole
    assert done == ["h18", "state"]


def test_other_files_or_options_are_staged_again(folder, monkeypatch):
    """A changed file, another name (which may hold the date) and another limit count; codes of the labels don't."""
    stage_cubes(context(folder))
    real, done = day_cubes.stage_variable, []

    def noted(source, *rest, **options):
        done.append(source.variable.name)
        return real(source, *rest, **options)

    monkeypatch.setattr(day_cubes, "stage_variable", noted)
    write_netcdf(folder / "tb" / "h_1.nc", days(2, level=231.0), times=[2, 3])
    (folder / "tb" / "v_1.nc").rename(folder / "tb" / "v_2.nc")
    text = STUDY.replace('variable = "state"', 'variable = "state"\nfrozen = [2]')
    (folder / "study.toml").write_text(text, encoding="utf-8")
    stage_cubes(context(folder))
    assert done == ["v18", "h18"]
    assert CubeStore.open(folder / "run" / "cubes").facts["state"]["notes"] == []
    (folder / "study.toml").write_text(text.replace('quantity = "state"', 'quantity = "state"\nmaximum = 1'), encoding="utf-8")
    stage_cubes(context(folder))
    assert done == ["v18", "h18", "state"]


def test_swapped_polarisations_are_refused(folder):
    """The patterns of V and H taken for one another."""
    text = STUDY.replace("v_*", "?").replace("h_*", "v_*").replace("?", "h_*")
    (folder / "study.toml").write_text(text, encoding="utf-8")
    with pytest.raises(DomainError, match=r"v18 \(V\) is below h18 \(H\) in 100% of 20 cell-days"):
        stage_cubes(context(folder))
