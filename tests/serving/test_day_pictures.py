"""Maps of days for the browser: where pixels lie, what is packed, what is refused."""

from __future__ import annotations

import gzip
from dataclasses import replace

import numpy as np
import pytest

from alm_core.grid import Grid
from alm_core.inspection.days import day_maps, phenology, year_codes
from alm_core.serving import day_pictures
from alm_core.serving.day_pictures import cell_bounds, day_picture, mercator_y, part_days, pixel_cells
from alm_core.serving.urls import day_file_url, day_tiff_url, days_urls
from alm_core.workspace import Run
from tests.day_pages_run import FIRST, GRID, write_day_run
from tests.serving.conftest import client_of


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of days."""
    return write_day_run(tmp_path_factory.mktemp("days") / "workspace")


def unpacked(content: bytes, kind: str) -> np.ndarray:
    """Numbers of an answer; the client has undone the packing."""
    return np.frombuffer(content, kind)


def test_pixels_show_the_cell_they_lie_in(run: Run) -> None:
    """Degrees: the picture ends where the cells end, rows are even on the web map, every cell is to be seen."""
    maps = day_maps(run)
    picture = day_picture(maps)
    assert picture.bounds == pytest.approx((88.0, 32.0, 92.0, 34.75))
    found = pixel_cells(maps, picture)
    assert np.array_equal(np.unique(found), np.arange(1, maps.cells.size + 1))
    pixels = picture.pixels
    row, column = np.divmod(maps.cells[found.astype(int) - 1], GRID.shape[1])
    assert (np.abs(GRID.x[column] - pixels.longitude[None, :]) <= 0.125 + 1e-9).all()
    assert (np.abs(GRID.y[row] - pixels.latitude[:, None]) <= 0.125 + 1e-9).all()
    steps = np.diff([mercator_y(latitude) for latitude in pixels.latitude])
    assert np.allclose(steps, steps[0])


def test_a_projected_grid_is_placed_by_its_own_crs(run: Run) -> None:
    """EASE-Grid 2 of the north: cells of 25 km lie where the projection says, and beyond them is nothing."""
    from pyproj import Transformer

    grid = Grid("EPSG:6931", (25000.0, 0.0, 4000000.0, 0.0, -25000.0, 500000.0), (40, 30))
    maps = replace(day_maps(run), grid=grid, cells=np.arange(100, 900))
    picture = day_picture(maps)
    found = pixel_cells(maps, picture)
    assert set(np.unique(found)) == set(range(801))
    rows, columns = np.nonzero(found)
    pixels = picture.pixels
    x, y = Transformer.from_crs("EPSG:4326", "EPSG:6931", always_xy=True).transform(
        pixels.longitude[columns], pixels.latitude[rows]
    )
    assert np.array_equal(grid.cell_index(x, y), maps.cells[found[rows, columns].astype(int) - 1])
    west, south, east, north = cell_bounds(grid, maps.cells)
    assert west < pixels.longitude.min() < pixels.longitude.max() < east
    assert south < pixels.latitude.min() < pixels.latitude.max() < north


def test_every_address_is_answered(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes is what the readers give, kept for long because the address has a version."""
    client, urls = client_of(run, monkeypatch), days_urls(run)
    answer = client.get(urls["places"])
    assert answer.status_code == 200
    assert "immutable" in answer.headers["cache-control"]
    maps = day_maps(run)
    picture = day_picture(maps)
    assert np.array_equal(unpacked(answer.content, "<u4").reshape(picture.shape), pixel_cells(maps, picture))
    year = client.get(urls["year"].format(year=2015, part=0))
    assert np.array_equal(unpacked(year.content, "u1").reshape(365, -1), year_codes(run, 2015))
    onset = client.get(urls["number"].format(name="freeze_onset"))
    assert np.array_equal(unpacked(onset.content, "<f4").reshape(2, -1), phenology(run, "freeze_onset").values)
    trend = client.get(urls["number"].format(name="trend_freeze_onset"))
    assert unpacked(trend.content, "<f4").size == 2 * maps.cells.size
    file = client.get(day_file_url(run, "state_2015.nc"))
    assert file.content == (run.folder / "map/days/state_2015.nc").read_bytes()
    assert "attachment" in file.headers["content-disposition"]


def test_a_large_grid_comes_in_parts(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of a year follow each other without a gap; the last may be shorter."""
    maps = day_maps(run)
    monkeypatch.setattr(day_pictures, "PART_BYTES", maps.cells.size * 100)
    assert part_days(maps) == 100
    parts = [
        np.frombuffer(gzip.decompress(day_pictures.packed(year_codes(run, 2015, k * 100, k * 100 + 100))), "u1") for k in range(4)
    ]
    assert np.array_equal(np.concatenate(parts).reshape(365, -1), year_codes(run, 2015))
    client = client_of(run, monkeypatch)
    url = days_urls(run)["year"]
    assert len(client.get(url.format(year=2015, part=3)).content) == 65 * maps.cells.size
    assert client.get(url.format(year=2015, part=4)).status_code == 404


@pytest.mark.parametrize(
    "path",
    ["year/1999/0.bin", "year/x/0.bin", "number/snow.bin", "number/..%2f..%2frun.bin", "file/run.json", "file/..%2frun.json",
     "day/2015-13-01.tif", "day/1999-01-01.tif", "day/x.tif"],
)  # fmt: skip
def test_what_is_not_there_is_refused_with_a_reason(run: Run, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """Short JSON, no path of this machine."""
    answer = client_of(run, monkeypatch).get(f"/alm/days/days/{run.id}/{path}")
    assert answer.status_code in (400, 404)
    assert 10 < len(answer.json()["error"]) < 300
    assert "/" not in answer.json()["error"].replace("..%2f", "").replace("../", "")


def test_a_run_of_sites_has_no_days(dashboard_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused as what can't be shown."""
    client = client_of(dashboard_run, monkeypatch)
    answer = client.get(f"/alm/days/{dashboard_run.folder.parent.name}/{dashboard_run.id}/places.bin")
    assert answer.status_code in (404, 422)


def test_a_day_comes_as_geotiff(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """State and probability of that day on the grid of the study."""
    from rasterio.io import MemoryFile

    pytest.importorskip("alm_core.publishing.day_export")
    answer = client_of(run, monkeypatch).get(day_tiff_url(run, "2015-01-10"))
    assert answer.status_code == 200
    with MemoryFile(answer.content) as memory, memory.open(driver="GTiff") as dataset:
        assert dataset.shape == GRID.shape
        state = dataset.read(1).reshape(-1)[day_maps(run).cells]
    assert np.array_equal(state, (year_codes(run, 2015)[9] >= 128).astype(np.uint8))
    assert FIRST.year == 2014
