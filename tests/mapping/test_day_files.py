"""Files of mapped days: read back by the libraries of others, and by their own readers."""

from __future__ import annotations

from datetime import date

import netCDF4
import numpy as np
import pytest
import rasterio

from alm_core.cubes.states import to_state_and_percent
from alm_core.errors import GridError, MissingFileError, WorkspaceError
from alm_core.grid import Grid
from alm_core.mapping.day_files import mapped_years, read_day, read_series, write_years
from tests.mapping.day_world import CELLS, DAYS, FIRST, GRID, celsius, make_all, make_map, write_cubes

POLAR = Grid.from_bounds((7_000_000, 3_000_000, 7_100_000, 3_075_000), 25_000, crs="EPSG:6933")
WORDS = {"attributes": {"title": "small days", "license": "CC-BY-4.0"}, "tags": {"study": "small", "seed": 3}}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A folder with mapped days."""
    folder = tmp_path_factory.mktemp("run")
    make_all(write_cubes(folder / "cubes"), folder)
    return folder


def expected():
    """State and per cent ``[day, row, column]``."""
    probability = (1 / (1 + np.exp(celsius().astype(float)))).astype(np.float32)
    full = []
    for part in to_state_and_percent(probability):
        raster = np.full((DAYS, GRID.size), 255, np.uint8)
        raster[:, CELLS] = part
        full.append(raster.reshape(DAYS, *GRID.shape))
    return full


def test_netcdf_follows_the_conventions(run):
    """Axes, bounds, flags, fill value, grid mapping; every day of the year once."""
    state, percent = expected()
    with netCDF4.Dataset(run / "map/days/state_2012.nc") as dataset:
        dataset.set_auto_maskandscale(False)
        assert dataset.Conventions == "CF-1.9"
        assert (dataset.title, dataset.license) == ("small days", "CC-BY-4.0")
        assert dataset["state"].dimensions == ("time", "y", "x")
        time = dataset["time"]
        days = netCDF4.num2date(time[:], time.units, time.calendar)
        assert [str(days[0])[:10], str(days[59])[:10], len(days)] == ["2012-01-01", "2012-02-29", 366]
        assert np.array_equal(dataset[time.bounds][:], np.stack([time[:], time[:] + 1], axis=1))
        assert (dataset["y"].standard_name, dataset["y"].units) == ("latitude", "degrees_north")
        assert (dataset["x"].standard_name, dataset["x"].units) == ("longitude", "degrees_east")
        assert np.array_equal(dataset["y"][:], GRID.y)
        assert np.array_equal(dataset["x"][:], GRID.x)
        mapping = dataset[dataset["state"].grid_mapping]
        assert mapping.grid_mapping_name == "latitude_longitude"
        assert "WGS 84" in mapping.crs_wkt
        assert dict(zip(dataset["state"].flag_values.tolist(), dataset["state"].flag_meanings.split(), strict=True)) == {
            0: "thawed",
            1: "frozen",
        }
        assert dataset["state"]._FillValue == 255
        assert dataset["probability"].units == "%"
        assert np.array_equal(dataset["state"][:], state[184:550])
        assert np.array_equal(dataset["probability"][:], percent[184:550])


def test_gdal_puts_the_netcdf_file_where_the_grid_is(run):
    """Corner, CRS and values through another library."""
    with rasterio.open(f"netcdf:{run / 'map/days/state_2011.nc'}:state") as dataset:
        assert Grid.from_dataset(dataset) == GRID
        assert (dataset.count, dataset.nodata) == (184, 255)
        assert np.array_equal(dataset.read(100), expected()[0][99])


def test_projected_grids_have_true_coordinates_beside_their_axes(tmp_path):
    """A grid in metres: standard names of the projection, and longitude and latitude of every cell."""
    mapped = make_map(write_cubes(tmp_path / "cubes", POLAR), tmp_path)
    paths = write_years(mapped, tmp_path / "map/days", **WORDS)
    with netCDF4.Dataset(paths[0]) as dataset:
        assert (dataset["x"].standard_name, dataset["x"].units) == ("projection_x_coordinate", "m")
        assert dataset["crs"].grid_mapping_name == "lambert_cylindrical_equal_area"
        assert dataset["state"].coordinates == "latitude longitude"
        # By the formula of the projection on a sphere of the same area (Snyder 1987, 10-1 to 10-5): right to a few hundredths.
        radius, across = 6371007.18, np.cos(np.radians(30))
        assert float(dataset["longitude"][0, 0]) == pytest.approx(np.degrees(POLAR.x[0] / (radius * across)), abs=0.3)
        assert float(dataset["latitude"][0, 0]) == pytest.approx(np.degrees(np.arcsin(POLAR.y[0] * across / radius)), abs=0.2)
    with rasterio.open(f"netcdf:{paths[0]}:probability") as dataset:
        assert Grid.from_dataset(dataset).transform == POLAR.transform


def test_geotiffs_name_their_days_and_say_what_they_are(run):
    """A band a day, its date as description; nodata, unit, classes and colours."""
    state, percent = expected()
    with rasterio.open(run / "map/days/state_2013.tif") as dataset:
        assert Grid.from_dataset(dataset) == GRID
        assert (dataset.count, dataset.dtypes[0], dataset.nodata) == (250, "uint8", 255)
        assert (dataset.descriptions[0], dataset.descriptions[-1]) == ("2013-01-01", "2013-09-07")
        assert dataset.tags()["classes"] == '{"0": "thawed", "1": "frozen"}'
        assert dataset.tags()["study"] == "small"
        assert np.array_equal(dataset.read(), state[550:])
    with rasterio.open(run / "map/days/probability_2013.tif") as dataset:
        assert set(dataset.units) == {"%"}
        assert np.array_equal(dataset.read(), percent[550:])


def test_the_same_map_gives_the_same_bytes_and_files_are_written_once(run, tmp_path):
    """A second map elsewhere is byte-identical; other words write all files again, the same words none."""
    mapped = make_map(write_cubes(tmp_path / "cubes"), tmp_path)
    words = {"attributes": {"title": "small days", "license": "CC-BY-4.0"}, "tags": {"study": "small"}}
    paths = write_years(mapped, tmp_path / "map/days", **words)
    assert len(paths) == 9
    for path in paths:
        assert path.read_bytes() == (run / "map/days" / path.name).read_bytes()
    stamps = [path.stat().st_mtime_ns for path in paths]
    assert write_years(mapped, tmp_path / "map/days", **words) == paths
    assert [path.stat().st_mtime_ns for path in paths] == stamps
    paths[4].write_bytes(b"cut")
    write_years(mapped, tmp_path / "map/days", **words)
    assert paths[4].read_bytes() == (run / "map/days" / paths[4].name).read_bytes()
    assert paths[0].stat().st_mtime_ns == stamps[0]
    write_years(mapped, tmp_path / "map/days", **WORDS)
    assert paths[0].stat().st_mtime_ns != stamps[0]


def test_a_full_disk_is_said_and_leaves_no_half_file(tmp_path, monkeypatch):
    """The NetCDF library fails with a plain RuntimeError; GDAL may lose bands without a word."""
    mapped = make_map(write_cubes(tmp_path / "cubes"), tmp_path)

    def fail(*_):
        raise RuntimeError("NetCDF: HDF error")

    with monkeypatch.context() as patched:
        patched.setattr("alm_core.mapping.day_files._time_axis", fail)
        with pytest.raises(WorkspaceError, match=r"HDF error\..*Free some space"):
            write_years(mapped, tmp_path / "map/days", **WORDS)
    assert not list((tmp_path / "map/days").iterdir())

    class Forgetful(rasterio.io.DatasetWriter):
        def write(self, values, indexes):
            super().write(np.zeros_like(values) if indexes[0] > 100 else values, indexes=indexes)

    monkeypatch.setattr("rasterio.get_writer_for_driver", lambda driver: Forgetful)
    with pytest.raises(WorkspaceError, match="not what was written"):
        write_years(mapped, tmp_path / "map/days", **WORDS)
    assert [path.name for path in (tmp_path / "map/days").iterdir()] == ["state_2011.nc"]


def test_readers_give_a_day_and_a_series(run):
    """The leap day, a cell through all years, a cell outside the mask."""
    state, percent = expected()
    assert mapped_years(run) == (2011, 2012, 2013)
    place = (date(2012, 2, 29) - FIRST).days
    found = read_day(run, date(2012, 2, 29))
    assert np.array_equal(found[0], state[place])
    assert np.array_equal(found[1], percent[place])
    series = read_series(run, 1, 2)
    assert (series.dates[0], series.dates[-1]) == (np.datetime64(FIRST), np.datetime64("2013-09-07"))
    assert np.array_equal(series.state, state[:, 1, 2])
    assert np.array_equal(series.percent, percent[:, 1, 2])
    assert (read_series(run, 0, 3).state == 255).all()


def test_days_and_cells_that_are_not_there_are_refused(run, tmp_path):
    """By what is there instead."""
    with pytest.raises(MissingFileError, match="2013-09-08 was not mapped: this run has the days from 2011-07-01 to 2013-09-07"):
        read_day(run, date(2013, 9, 8))
    with pytest.raises(MissingFileError, match="2011-07-01 to 2013-09-07"):
        read_day(run, date(1999, 1, 1))
    with pytest.raises(GridError, match="3 x 4 cells"):
        read_series(run, 3, 0)
    with pytest.raises(MissingFileError, match="no mapped days"):
        read_series(tmp_path, 0, 0)
