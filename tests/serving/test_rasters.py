"""Reading at pixels: other projections, overviews, edges, no data."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from pyproj import Transformer
from rasterio.transform import from_bounds
from rasterio.warp import Resampling, reproject

from alm_core.errors import AlmError
from alm_core.grid import Grid
from alm_core.mapping.cog import write_cog
from alm_core.serving import rasters
from alm_core.serving.mercator import HALF_METRES, Pixels, tile_pixels
from alm_core.serving.rasters import Raster, header, longitude_latitude_bounds, read_pixels
from tests.rasters import write_raster

ALBERS = "+proj=aea +lat_1=25 +lat_2=47 +lat_0=30 +lon_0=92 +datum=WGS84 +units=m"


def numbered(shape: tuple[int, int]) -> np.ndarray:
    """Every cell has a number of its own."""
    return np.arange(shape[0] * shape[1], dtype=np.float32).reshape(shape)


def projected(path, crs: str, *, size: int = 300, cell: float = 4000.0) -> Raster:
    """A raster around 92 E 33 N (polar: around 92 E 70 N)."""
    latitude = 70 if "3413" in crs else 33
    x, y = Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(92, latitude)
    half = size * cell / 2
    grid = Grid(rasters.Grid.from_bounds((0, 0, 1, 1), 1, crs=crs).crs, (cell, 0, x - half, 0, -cell, y + half), (size, size))
    values = numbered(grid.shape)
    values[:40, :60] = np.nan
    write_raster(path, values, grid, nodata=np.nan)
    return Raster.of(path)


@pytest.mark.parametrize("crs", ["EPSG:3413", ALBERS, "EPSG:32646", "EPSG:3857"])
@pytest.mark.parametrize("zoom", [6, 9])
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning:rasterio")
def test_a_projected_raster_agrees_with_gdals_nearest_warp(tmp_path, crs, zoom):
    """Cell by cell, but for pixels so near to the edge of a cell that GDAL's approximate transform (1/8 pixel) may cross it."""
    raster = projected(tmp_path / "r.tif", crs)
    latitude = 70 if "3413" in crs else 33
    size = 2 * HALF_METRES / 2**zoom
    x, y = Transformer.from_crs("EPSG:4326", "EPSG:3857", always_xy=True).transform(92, latitude)
    column, row = int((x + HALF_METRES) / size), int((HALF_METRES - y) / size)
    west, north = -HALF_METRES + column * size, HALF_METRES - row * size
    wanted = np.full((256, 256), np.nan, np.float32)
    with rasterio.open(raster.path, driver="GTiff") as dataset:
        reproject(
            rasterio.band(dataset, 1),
            wanted,
            dst_transform=from_bounds(west, north - size, west + size, north, 256, 256),
            dst_crs="EPSG:3857",
            dst_nodata=np.nan,
            resampling=Resampling.nearest,
        )
    found = read_pixels(raster, tile_pixels(zoom, column, row), [1])[0]
    assert np.isfinite(wanted).mean() > 0.1
    differ = ~((found == wanted) | (np.isnan(found) & np.isnan(wanted)))
    assert differ.mean() < 0.05
    pixels = tile_pixels(zoom, column, row)
    to_cells = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    places = header(raster).grid.row_column(*to_cells.transform(*np.meshgrid(pixels.longitude, pixels.latitude)))
    from_edge = np.min([np.abs(place - np.rint(place)) for place in places], axis=0)
    assert from_edge[differ].max(initial=0) < 0.13


def test_zoomed_out_the_fitting_overview_is_used(tmp_path, monkeypatch):
    """The level is the coarsest that is no coarser than the tile, and a tile never reads much more than its own pixels."""
    grid = Grid.from_bounds((90, 30, 106, 46), 0.005, crs="EPSG:4326")
    values = np.add.outer(np.arange(3200), np.arange(3200)).astype(np.float32)
    write_cog(tmp_path / "r.tif", values, grid, band_names=["value"])
    raster = Raster.of(tmp_path / "r.tif")
    assert len(header(raster).levels) > 2
    read = []
    plain = rasters.read_block

    def watched(raster, bands, window, *, level=rasters.FULL):
        read.append((level, window.width * window.height))
        return plain(raster, bands, window, level=level)

    monkeypatch.setattr(rasters, "read_block", watched)
    for zoom, x, y in ((4, 12, 5), (5, 24, 12), (6, 49, 24), (7, 98, 50), (9, 392, 200), (12, 3140, 1600)):
        found = read_pixels(raster, tile_pixels(zoom, x, y), [1])
        level, cells = read[-1]
        assert cells < 3.2 * 600**2
        pixels = tile_pixels(zoom, x, y)
        row, column = grid.row_column(pixels.longitude, pixels.latitude)
        known = np.isfinite(found[0])
        span = 2.0 ** (level + 1)
        off = np.abs(found[0] - np.add.outer(row, column))[known]
        assert off.max() <= 2 * span, (zoom, level)
    assert read[0][0] > read[2][0] > read[-1][0] == rasters.FULL


def test_longitudes_may_run_from_0_to_360(tmp_path):
    """A raster beyond 180 degrees is found from the west as well."""
    grid = Grid.from_bounds((170, 10, 200, 20), 1.0, crs="EPSG:4326")
    write_raster(tmp_path / "r.tif", numbered(grid.shape), grid)
    raster = Raster.of(tmp_path / "r.tif")
    at = Pixels(np.array([-179.5]), np.array([19.5]))
    assert read_pixels(raster, at, [1]).item() == 10
    assert read_pixels(raster, Pixels(np.array([100.0]), np.array([15.0])), [1]) is None


def test_smooth_reading_meets_the_cell_centres(tmp_path):
    """Exact at centres, between them on a straight line, NaN where a neighbour is missing."""
    grid = Grid.from_bounds((90, 30, 94, 33), 0.5, crs="EPSG:4326")
    values = numbered(grid.shape)
    values[0, 0] = np.nan
    write_raster(tmp_path / "r.tif", values, grid, nodata=np.nan)
    raster = Raster.of(tmp_path / "r.tif")
    at = Pixels(np.array([91.25, 91.5, 93.99]), np.array([31.75, 31.5]))
    found = read_pixels(raster, at, [1], smooth=True)[0]
    np.testing.assert_allclose(found, [[18, 18.5, 23], [22, 22.5, 27]])
    assert np.isnan(read_pixels(raster, Pixels(np.array([90.6]), np.array([32.6])), [1], smooth=True)).all()


def test_declared_nodata_of_whole_numbers_is_missing(tmp_path):
    """Before scale and offset, which apply to the rest."""
    grid = Grid.from_bounds((90, 30, 91, 31), 0.5, crs="EPSG:4326")
    write_cog(
        tmp_path / "r.tif",
        np.array([[np.nan, 1.5], [2.0, -3.0]]),
        grid,
        band_names=["a"],
        dtype="int16",
        scale=0.5,
        offset=1.0,
    )
    at = Pixels(np.array([90.25, 90.75]), np.array([30.75, 30.25]))
    np.testing.assert_array_equal(read_pixels(Raster.of(tmp_path / "r.tif"), at, [1])[0], [[np.nan, 1.5], [2.0, -3.0]])


def test_a_raster_without_crs_is_taken_for_degrees_only_where_it_can_be(tmp_path):
    """Bounds in degrees are; metres are refused with what to do."""
    degrees = Grid(None, (0.5, 0, 90, 0, -0.5, 31), (2, 2))
    write_raster(tmp_path / "d.tif", numbered((2, 2)), degrees, crs=None)
    assert read_pixels(Raster.of(tmp_path / "d.tif"), Pixels(np.array([90.2]), np.array([30.8])), [1]).item() == 0
    metres = Grid(None, (500, 0, 4e6, 0, -500, 3e6), (2, 2))
    write_raster(tmp_path / "m.tif", numbered((2, 2)), metres, crs=None)
    with pytest.raises(AlmError, match="crs"):
        read_pixels(Raster.of(tmp_path / "m.tif"), tile_pixels(3, 1, 1), [1])


def test_a_vrt_in_disguise_and_sidecars_are_not_read(tmp_path):
    """Only a GeoTIFF opens, and a file beside it changes nothing."""
    (tmp_path / "v.tif").write_text("<VRTDataset rasterXSize='1' rasterYSize='1'/>")
    with pytest.raises(AlmError, match="VRT"):
        header(Raster.of(tmp_path / "v.tif"))
    grid = Grid.from_bounds((90, 30, 91, 31), 0.5, crs="EPSG:4326")
    write_raster(tmp_path / "r.tif", numbered((2, 2)), grid)
    (tmp_path / "r.tif.ovr").write_text("<VRTDataset rasterXSize='1' rasterYSize='1'/>")
    assert len(header(Raster.of(tmp_path / "r.tif")).levels) == 1


def test_bounds_of_a_projected_grid_are_degrees(tmp_path):
    """Around the raster, in longitude and latitude."""
    west, south, east, north = longitude_latitude_bounds(header(projected(tmp_path / "r.tif", ALBERS)).grid)
    assert 80 < west < 92 < east < 104
    assert 25 < south < 33 < north < 41
