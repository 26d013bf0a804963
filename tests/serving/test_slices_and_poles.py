"""Tiles of slices of time, marks of a change map, and rasters around the pole and across 180 degrees."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from pyproj import Transformer

from alm_core.grid import Grid
from alm_core.serving.catalogue import find_layer, layers
from alm_core.serving.change_layers import INSIGNIFICANT, MARKS, WITHIN
from alm_core.serving.checks import LayerError
from alm_core.serving.members import member_codes, member_tile, unpack
from alm_core.serving.mercator import tile_pixels
from alm_core.serving.plane import HALF_METRES, PLANES, plane_pixels
from alm_core.serving.rasters import Raster, longitude_latitude_bounds, read_pixels
from alm_core.serving.tiles import layer_values, marked_cells
from alm_core.serving.urls import ASSETS, members_url, tile_url
from alm_core.serving.view_bounds import data_bounds, longitude_range, reaches_beyond
from alm_core.workspace import Run
from tests.rasters import write_raster
from tests.serving.conftest import client_of
from tests.serving.pictures import MIDDLE, rgba
from tests.sliced_run import NAMES, with_slices

POLAR = "EPSG:3413"


@pytest.fixture(scope="module")
def sliced_run(dashboard_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with five slices; read-only."""
    return with_slices(dashboard_run, tmp_path_factory.mktemp("slices") / "workspace")


# ---- slices -------------------------------------------------------------------------------------------------------------


def test_every_slice_has_the_same_layers_and_the_same_colours(sliced_run: Run) -> None:
    """Ids and ranges are equal, so that a moved slider shows change and not another scale; files are not."""
    main, early = layers(sliced_run), layers(sliced_run, slice=NAMES[0])
    assert [layer.id for layer in main] == [layer.id for layer in early]
    assert [layer.range for layer in main] == [layer.range for layer in early]
    assert find_layer(sliced_run, f"fused@{NAMES[0]}").file.parent.name == NAMES[0]
    assert find_layer(sliced_run, f"fused@{NAMES[-1]}") == find_layer(sliced_run, "fused")
    with pytest.raises(LayerError):
        find_layer(sliced_run, "fused@1900-1904")


def test_a_run_without_slices_has_no_layers_of_change(dashboard_run: Run) -> None:
    """Neither change nor marks."""
    assert not {layer.group for layer in layers(dashboard_run)} & {"change", "differences"}


def test_a_tile_of_a_slice_differs_from_that_of_the_main_one(sliced_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each address gives its own picture; both are versioned."""
    client, place = client_of(sliced_run, monkeypatch), dict(zip("zxy", MIDDLE, strict=True))
    found = []
    for key in ("fused", f"fused@{NAMES[0]}"):
        address = tile_url(sliced_run, key, low=0.0, high=0.6)
        assert "v=" in address
        answer = client.get(address.format(**place))
        assert answer.status_code == 200
        found.append(answer.content)
    assert found[0] != found[1]


def test_members_of_a_slice_are_packed_for_the_browser(sliced_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each slice has its own codes and its own values; a slice that is not there is refused."""
    client, place = client_of(sliced_run, monkeypatch), dict(zip("zxy", MIDDLE, strict=True))
    shown = {}
    for slice in (None, NAMES[0]):
        answer = client.get(members_url(sliced_run, slice=slice).format(**place))
        assert answer.status_code == 200
        codes = member_codes(sliced_run, slice=slice)
        shown[slice] = unpack(gzip.compress(answer.content))
        np.testing.assert_array_equal(shown[slice], codes.encode(member_tile(sliced_run, *MIDDLE, slice=slice)))
    assert (shown[None] != shown[NAMES[0]]).any()
    strange = members_url(sliced_run).format(**place) + "&slice=1900-1904"
    assert client.get(strange).status_code == 404


def test_marks_lie_where_a_change_is_not_significant(sliced_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Covered pixels are those with p from 0.05 on; hatched ones are among them; nothing lies where there is no data."""
    place = MIDDLE
    values = layer_values(find_layer(sliced_run, "p_value"), *place)
    wanted = values >= 0.05
    assert 0.05 < wanted.mean() < 0.95
    client, keys = client_of(sliced_run, monkeypatch), dict(zip("zxy", place, strict=True))
    cover = rgba(client.get(tile_url(sliced_run, INSIGNIFICANT, style="grey").format(**keys)).content)[..., 3] > 0
    hatch = rgba(client.get(tile_url(sliced_run, INSIGNIFICANT, style="hatch").format(**keys)).content)[..., 3] > 0
    assert np.array_equal(cover, wanted)
    assert hatch.any()
    assert not (hatch & ~wanted).any()
    assert client.get(tile_url(sliced_run, INSIGNIFICANT, style="hatch").format(**keys) + "x").status_code == 400


def test_no_mark_where_there_is_no_data() -> None:
    """NaN is neither significant nor not."""
    assert marked_cells(WITHIN, np.array([0.0, 1.0, np.nan])).tolist() == [True, False, False]
    assert {INSIGNIFICANT, WITHIN} == set(MARKS)


def test_change_has_a_range_even_about_zero(sliced_run: Run) -> None:
    """The palette turns where the sign does."""
    for id in ("change", "trend_per_decade", "difference:old_map"):
        layer = find_layer(sliced_run, id)
        assert layer.low == -layer.high


# ---- poles --------------------------------------------------------------------------------------------------------------


def longitudes(path: Path, grid: Grid) -> Path:
    """A raster whose cells hold cosine and sine of their longitude, and their latitude."""
    x, y = np.meshgrid(grid.x, grid.y)
    longitude, latitude = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True).transform(x, y)
    radians = np.radians(longitude)
    return write_raster(path, np.stack([np.cos(radians), np.sin(radians), latitude]).astype(np.float32), grid)


@pytest.mark.parametrize(("zoom", "x", "y"), [(1, 0, 0), (1, 1, 0), (3, 0, 1), (3, 7, 1), (3, 4, 0)])
def test_pixels_of_a_polar_raster_lie_where_they_should(tmp_path: Path, zoom: int, x: int, y: int) -> None:
    """Around the pole, on both sides of 180 degrees and up to the end of the web map: each pixel shows its own place."""
    grid = Grid.from_bounds((-4e6, -4e6, 4e6, 4e6), 2e4, crs=POLAR)
    raster = Raster.of(longitudes(tmp_path / "polar.tif", grid))
    pixels = tile_pixels(zoom, x, y)
    found = read_pixels(raster, pixels, [1, 2, 3])
    longitude, latitude = np.meshgrid(pixels.longitude, pixels.latitude)
    seen = np.isfinite(found[2])
    assert seen.any()
    assert seen[latitude > 60].all()
    # Half a cell of 20 km is a third of a degree along a meridian.
    assert np.abs(found[2] - latitude)[seen].max() < 0.2
    off = 1 - (found[0] * np.cos(np.radians(longitude)) + found[1] * np.sin(np.radians(longitude)))
    assert off[seen & (latitude < 80)].max() < 1e-3


def test_bounds_go_on_beyond_180_degrees() -> None:
    """A grid over the Bering Strait is no belt around the whole earth."""
    west, south, east, north = longitude_latitude_bounds(Grid.from_bounds((-3e6, 1e6, -1e6, 2e6), 4e4, crs=POLAR))
    assert west < 180 < east < 220
    assert 50 < south < north < 80


@pytest.mark.parametrize(
    ("given", "wanted"),
    [([170, 180, -170], (170, 190)), ([-170, -100], (-170, -100)), ([10, 200], (-160, 10)), (range(-180, 180, 5), (-180, 180))],
)
def test_longitudes_are_held_by_the_shortest_way_around(given, wanted) -> None:
    """Known answers, also where the way passes 180."""
    assert longitude_range(np.array(given, float)) == wanted


def test_a_view_opens_on_the_data_and_not_on_the_box(dashboard_run: Run) -> None:
    """Columns outside the mask are no part of it."""
    west, _south, east, north = data_bounds(dashboard_run)
    assert west == pytest.approx(90.35, abs=0.01)
    assert (east, north) == (pytest.approx(94.05, abs=0.01), pytest.approx(33.05, abs=0.01))
    assert reaches_beyond(dashboard_run) == 0.0


# ---- planes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("crs", ["EPSG:3413", "EPSG:4326"])
def test_pixels_of_a_plane_lie_where_they_should(tmp_path: Path, crs: str) -> None:
    """The pole is in the picture; rasters of the same plane and of another CRS show each pixel's own place."""
    bounds = (-4e6, -4e6, 4e6, 4e6) if crs == POLAR else (-180.0, 50.0, 180.0, 90.0)
    grid = Grid.from_bounds(bounds, 2e4 if crs == POLAR else 0.25, crs=crs)
    pixels = plane_pixels(POLAR, 2, 1, 1)
    found = read_pixels(Raster.of(longitudes(tmp_path / "polar.tif", grid)), pixels, [1, 2, 3])
    x, y = np.meshgrid(pixels.x, pixels.y)
    longitude, latitude = Transformer.from_crs(POLAR, "EPSG:4326", always_xy=True).transform(x, y)
    assert latitude.max() > 89.5
    seen = np.isfinite(found[2])
    assert seen[latitude > 60].all()
    assert np.abs(found[2] - latitude)[seen].max() < 0.2
    off = 1 - (found[0] * np.cos(np.radians(longitude)) + found[1] * np.sin(np.radians(longitude)))
    assert off[seen & (latitude < 80)].max() < 1e-3


def test_a_plane_that_is_not_offered_is_refused(sliced_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A CRS of an address is one of a list; a known one gives a tile."""
    client, place = client_of(sliced_run, monkeypatch), {"z": 4, "x": 12, "y": 7}
    good = tile_url(sliced_run, "fused", plane=POLAR).format(**place)
    assert client.get(good).headers["content-type"] == "image/png"
    assert client.get(good.replace("3413", "27700")).status_code == 400


def test_the_planes_of_the_browser_are_those_of_the_server() -> None:
    """The script states the same size and the same planes."""
    script = (ASSETS / "browser" / "polar_crs.js").read_text(encoding="utf-8")
    assert f"HALF_METRES = {HALF_METRES:.1f};" in script
    for crs, plane in PLANES.items():
        text = f"{crs.replace(':', '')}: {{ latitude: {plane['latitude']:.0f}, longitude: {plane['longitude']:.0f} }}"
        assert text in script
        pole = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
        assert pole.transform(plane["longitude"], 50.0)[0] == pytest.approx(0.0, abs=1e-3)
