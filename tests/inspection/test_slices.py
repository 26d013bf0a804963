"""Slices of time: which there are, their files, and every number of a place and an area through them."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio

from alm_core.errors import MissingFileError, StudyError
from alm_core.inspection.area_series import area_series
from alm_core.inspection.place_series import place_series
from alm_core.inspection.query import ask
from alm_core.inspection.slices import can_be_significant, find_slice, main_slice, slice_file, time_slices
from alm_core.inspection.zonal import summarise
from alm_core.workspace import Run
from tests.sliced_run import NAMES, STEP, factor, with_slices


@pytest.fixture(scope="module")
def sliced_run(dashboard_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with five slices; read-only."""
    return with_slices(dashboard_run, tmp_path_factory.mktemp("slices") / "workspace")


def cell(run: Run, column: int = 10) -> tuple[int, float, float]:
    """A mapped cell of a column: its row, longitude and latitude."""
    with rasterio.open(run.file("map/fused.tif"), driver="GTiff") as dataset:
        row = int(np.flatnonzero(np.isfinite(dataset.read(1, masked=True).filled(np.nan)[:, column]))[3])
        return row, *dataset.xy(row, column)


def test_slices_come_in_their_order_with_their_files(sliced_run: Run) -> None:
    """The main slice is the map of the run itself, the others have folders of their own."""
    assert [one.name for one in time_slices(sliced_run)] == list(NAMES)
    assert main_slice(sliced_run) == NAMES[-1]
    assert slice_file(sliced_run, "fused.tif") == sliced_run.folder / "map" / "fused.tif"
    assert slice_file(sliced_run, "fused.tif", NAMES[-1]) == sliced_run.folder / "map" / "fused.tif"
    assert slice_file(sliced_run, "fused.tif", NAMES[0]).parent.name == NAMES[0]
    assert can_be_significant(sliced_run)


def test_an_unknown_slice_is_refused_by_name(sliced_run: Run, dashboard_run: Run) -> None:
    """The message names the slices that there are, or says that there are none."""
    with pytest.raises(StudyError, match="2000-2004"):
        find_slice(sliced_run, "1900-1904")
    with pytest.raises(StudyError, match="no \\[\\[slices\\]\\]"):
        find_slice(dashboard_run, NAMES[0])
    with pytest.raises(MissingFileError):
        slice_file(sliced_run, "probability.tif", NAMES[0])


def test_a_run_without_slices_has_none(dashboard_run: Run) -> None:
    """Nothing special is made of a study without time."""
    assert time_slices(dashboard_run) == ()
    assert main_slice(dashboard_run) is None
    assert place_series(dashboard_run, 92.0, 31.0) is None
    assert area_series(dashboard_run, {"type": "Polygon", "coordinates": [[[91, 31], [92, 31], [92, 32], [91, 31]]]}) is None


def test_a_place_through_time_is_each_raster_cell_for_cell(sliced_run: Run) -> None:
    """Values, bounds and change of a cell are those that were written."""
    _row, longitude, latitude = cell(sliced_run)
    found = place_series(sliced_run, longitude, latitude)
    step = STEP * float(factor(40)[10])
    assert np.allclose(np.diff(found.values), step, atol=1e-5)
    assert np.allclose(np.diff(found.lower), step, atol=1e-5)
    assert found.change == pytest.approx(4 * step, abs=1e-5)
    assert found.trend_per_decade == pytest.approx(2 * step, abs=1e-5)
    assert found.p_value == pytest.approx(0.3)
    assert found.beyond_interval is False
    assert place_series(sliced_run, 10.0, -60.0) is None


def test_asking_in_a_slice_gives_its_value_members_and_interval(sliced_run: Run) -> None:
    """Without a slice the answer is that of the main one."""
    _, longitude, latitude = cell(sliced_run)
    series = place_series(sliced_run, longitude, latitude)
    early = ask(sliced_run, longitude, latitude, slice=NAMES[0], explain=False, analogues=0)
    late = ask(sliced_run, longitude, latitude, explain=False, analogues=0)
    assert (early.value, early.lower) == (series.values[0], series.lower[0])
    assert late.value == series.values[-1]
    assert early.slice == NAMES[0]
    shift = late.value - early.value
    for name, value in late.members.items():
        assert value - early.members[name] == pytest.approx(shift, abs=1e-5)


def test_an_area_through_time_is_its_summary_in_every_slice(sliced_run: Run) -> None:
    """Means of the series are those of `summarise`, and fall by the known step in the west."""
    area = {"type": "Polygon", "coordinates": [[[90.5, 30.5], [91.2, 30.5], [91.2, 32.5], [90.5, 32.5], [90.5, 30.5]]]}
    found = area_series(sliced_run, area)
    assert found.names == NAMES
    assert found.mean[0] == summarise(sliced_run, area, slice=NAMES[0]).mean
    assert found.mean[-1] == summarise(sliced_run, area).mean
    steps = np.diff(found.mean)
    assert np.allclose(steps, steps[0], atol=1e-5)
    # Columns 5 to 11 are in the area; the middle one stands for them.
    assert steps[0] == pytest.approx(STEP * float(factor(40)[8]), rel=1e-4)
    assert all(low < mean < high for low, mean, high in zip(found.lower, found.mean, found.upper, strict=True))
