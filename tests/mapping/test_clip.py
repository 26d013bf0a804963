"""Clipping: cells keep their place and their numbers."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
import shapely
from rio_cogeo import cog_validate

from alm_core.errors import GridError, MissingFileError, NodataError, RasterError
from alm_core.grid import Grid
from alm_core.mapping.area import Area
from alm_core.mapping.clip import STANDARD_LAYERS, clip_rasters
from alm_core.mapping.cog import describe_raster, write_cog

GRID = Grid.from_bounds((90, 30, 96, 34), 0.01, crs="EPSG:4326")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A map folder: every cell holds its own number; the west is not mapped."""
    folder = tmp_path_factory.mktemp("map")
    value = np.arange(GRID.size, dtype=np.float32).reshape(GRID.shape)
    value[:, :100] = np.nan
    trust = np.stack([value - 1, value + 1, value * 0, value * 0 + 3, value * 0 + 1])
    write_cog(folder / "fused.tif", value, GRID, band_names=["fused"], units="m3 m-3", tags={"study": "demo"})
    names = ["lower", "upper", "dissimilarity", "density", "inside"]
    write_cog(folder / "uncertainty.tif", trust, GRID, band_names=names, units=["m3 m-3", "m3 m-3", "1", "sites", "1"])
    scaled = np.where(np.isnan(value), np.nan, value / GRID.size)
    write_cog(folder / "scaled.tif", scaled, GRID, band_names=["s"], dtype="int16", scale=0.0001, units="1")
    classes = np.where(np.isnan(value), 0, np.arange(GRID.size).reshape(GRID.shape) % 3 + 1).astype(np.uint8)
    write_cog(folder / "classes.tif", classes, GRID, band_names=["class"], dtype="uint8", nodata=0, resampling="mode")
    return folder


@pytest.fixture
def layers(folder):
    """The layers of an export."""
    return {name: (folder / file, band) for name, (file, band) in STANDARD_LAYERS.items()}


def rows_columns(grid):
    """Where a cut grid lies in the whole one."""
    column = round((grid.transform[2] - GRID.transform[2]) / GRID.transform[0])
    row = round((grid.transform[5] - GRID.transform[5]) / GRID.transform[4])
    return slice(row, row + grid.shape[0]), slice(column, column + grid.shape[1])


def test_box_cuts_whole_cells(layers, tmp_path):
    """A box on cell edges gives exactly its cells, unchanged, with names, units and tags."""
    result = clip_rasters(layers, tmp_path / "c.tif", bounds=(92, 31, 93.5, 32.2))
    assert result.grid.shape == (120, 150)
    assert result.grid.bounds == pytest.approx((92, 31, 93.5, 32.2), abs=1e-9)
    with rasterio.open(result.path) as cut, rasterio.open(layers["value"][0]) as whole:
        np.testing.assert_array_equal(cut.read(1), whole.read(1)[rows_columns(result.grid)])
        assert cut.descriptions == tuple(STANDARD_LAYERS)
        assert cut.units == ("m3 m-3", "m3 m-3", "m3 m-3", "1", "1")
    assert describe_raster(result.path)["tags"] == {"study": "demo"}
    assert result.cells_inside == 120 * 150 == result.cells_with_data["value"]
    assert (result.notes, result.empty) == ((), False)
    assert cog_validate(result.path, strict=True)[0]


def test_box_off_the_edges_is_aligned(layers, tmp_path):
    """Edges between cell centres do not shift a cell; cells count by their centre, or by touch."""
    box = (92.004, 31.004, 92.026, 31.026)
    centre = clip_rasters(layers, tmp_path / "a.tif", bounds=box)
    touched = clip_rasters(layers, tmp_path / "b.tif", bounds=box, all_touched=True)
    assert centre.grid.shape == (3, 3)
    assert centre.grid.transform[2] == pytest.approx(92.0)
    assert touched.grid.shape == (3, 3)
    nudged = clip_rasters(layers, tmp_path / "c.tif", bounds=(92.006, 31.006, 92.024, 31.024))
    assert nudged.grid.shape == (1, 1)
    assert nudged.grid.transform[2] == pytest.approx(92.01)


def test_polygon_keeps_what_lies_in_it(layers, tmp_path):
    """Cells whose centre is in the triangle are kept with their numbers, all others are nodata."""
    triangle = shapely.Polygon([(92, 30.5), (95, 30.5), (92, 33.5)])
    result = clip_rasters(layers, tmp_path / "c.tif", area=triangle)
    x, y = np.meshgrid(GRID.x, GRID.y)
    inside = shapely.contains_xy(triangle, x, y)[rows_columns(result.grid)]
    with rasterio.open(result.path) as cut, rasterio.open(layers["value"][0]) as whole:
        found, expected = cut.read(1), whole.read(1)[rows_columns(result.grid)]
    clear = np.abs(x + y - 125.5)[rows_columns(result.grid)] > 1e-6  # centres on the edge may go either way
    np.testing.assert_array_equal(found[clear], np.where(inside, expected, np.nan)[clear])


def test_polygon_with_hole_in_another_crs(layers, tmp_path):
    """A polygon in metres is brought to the map; its hole stays empty."""
    shell = shapely.box(3e5, 3.4e6, 5e5, 3.5e6).difference(shapely.box(3.8e5, 3.43e6, 4.2e5, 3.47e6))
    result = clip_rasters(layers, tmp_path / "c.tif", area=Area(shell, "EPSG:32646"))
    with rasterio.open(result.path) as cut:
        middle = np.isnan(cut.read(1))[cut.height // 2, cut.width // 2]
    assert middle
    share = result.cells_inside / (result.grid.shape[0] * result.grid.shape[1])
    assert 0.85 < share < 0.93  # 92 % of the box


def test_integers_stay_integers(folder, tmp_path):
    """int16 and class layers keep their stored numbers and get their own nodata outside, never NaN."""
    triangle = shapely.Polygon([(92, 30.5), (95, 30.5), (92, 33.5)])
    for name, nodata in {"scaled.tif": -32768, "classes.tif": 0}.items():
        result = clip_rasters({"layer": (folder / name, 1)}, tmp_path / name, area=triangle)
        with rasterio.open(result.path) as cut, rasterio.open(folder / name) as whole:
            assert (cut.dtypes, cut.nodata, cut.scales) == (whole.dtypes, nodata, whole.scales)
            found, expected = cut.read(1), whole.read(1)[rows_columns(result.grid)]
            assert ((found == expected) | (found == nodata)).all()
            assert (found == nodata).sum() > 1000


def test_mixed_layers_become_physical_values(folder, layers, tmp_path):
    """A scaled integer beside a float is written in its unit, with NaN for its nodata."""
    result = clip_rasters(
        {"scaled": (folder / "scaled.tif", 1), "value": layers["value"]}, tmp_path / "c.tif", bounds=(90, 30, 92, 34)
    )
    with rasterio.open(result.path) as cut:
        scaled, value = cut.read()
        assert cut.dtypes == ("float32", "float32")
    np.testing.assert_array_equal(np.isnan(scaled), np.isnan(value))
    np.testing.assert_allclose(scaled[:, 100:], value[:, 100:] / GRID.size, atol=0.00005)


def test_area_without_a_mapped_cell_says_so(layers, tmp_path):
    """An area where nothing was mapped gives an empty raster and a note."""
    result = clip_rasters(layers, tmp_path / "c.tif", bounds=(90.1, 31, 90.5, 32))
    assert result.empty
    assert "None of the 4000 cells" in result.notes[0]


def test_area_beyond_the_map_says_so(layers, tmp_path):
    """Only the part on the map is cut, and a note says it."""
    result = clip_rasters(layers, tmp_path / "c.tif", bounds=(95, 33, 97, 35))
    assert result.grid.shape == (100, 100)
    assert "beyond the map" in result.notes[0]


def test_box_outside_names_both_boxes(layers, tmp_path):
    """A box far from the map is refused with both boxes and leaves no file."""
    with pytest.raises(GridError, match=r"west 10.*outside the map.*west 90"):
        clip_rasters(layers, tmp_path / "c.tif", bounds=(10, 31, 11, 32))
    with pytest.raises(GridError, match="no cell centre"):
        clip_rasters(layers, tmp_path / "c.tif", bounds=(92.001, 31.001, 92.002, 31.002))
    with pytest.raises(GridError, match="not both"):
        clip_rasters(layers, tmp_path / "c.tif")
    assert list(tmp_path.iterdir()) == []


def test_sources_are_checked(layers, folder, tmp_path):
    """Missing files and bands, other grids and integers without nodata are named."""
    box = {"bounds": (92, 31, 93, 32)}
    with pytest.raises(MissingFileError):
        clip_rasters({"value": (folder / "none.tif", 1)}, tmp_path / "c.tif", **box)
    with pytest.raises(RasterError, match="band 9"):
        clip_rasters({"value": (folder / "fused.tif", 9)}, tmp_path / "c.tif", **box)
    other = Grid.from_bounds((90, 30, 96, 34), 0.02, crs="EPSG:4326")
    write_cog(tmp_path / "other.tif", np.zeros(other.shape), other, band_names=["a"])
    with pytest.raises(GridError, match="another grid"):
        clip_rasters({**layers, "other": (tmp_path / "other.tif", 1)}, tmp_path / "c.tif", **box)
    profile = {"driver": "GTiff", "count": 1, "dtype": "uint8", "height": 400, "width": 600}
    with rasterio.open(tmp_path / "bare.tif", "w", crs=GRID.crs, transform=GRID.affine, **profile) as bare:
        bare.write(np.ones((1, 400, 600), np.uint8))
    with pytest.raises(NodataError, match="without nodata"):
        clip_rasters({"bare": (tmp_path / "bare.tif", 1)}, tmp_path / "c.tif", **box)


def test_box_in_degrees_on_a_polar_map(tmp_path):
    """A box of longitudes and latitudes is a sector on a polar grid: every kept cell lies in it, no other does."""
    grid = Grid.from_bounds((-3e6, -3e6, 3e6, 3e6), 5e4, crs="EPSG:3995")
    write_cog(tmp_path / "p.tif", np.ones(grid.shape), grid, band_names=["a"])
    result = clip_rasters({"a": (tmp_path / "p.tif", 1)}, tmp_path / "c.tif", bounds=(20, 65, 60, 80))
    x, y = np.meshgrid(result.grid.x, result.grid.y)
    from pyproj import Transformer

    longitude, latitude = Transformer.from_crs("EPSG:3995", "EPSG:4326", always_xy=True).transform(x, y)
    with rasterio.open(result.path) as cut:
        kept = np.isfinite(cut.read(1))
    margin = 0.05
    deep = (longitude > 20 + margin) & (longitude < 60 - margin) & (latitude > 65 + margin) & (latitude < 80 - margin)
    far = (longitude < 20 - margin) | (longitude > 60 + margin) | (latitude < 65 - margin) | (latitude > 80 + margin)
    assert kept[deep].all()
    assert not kept[far].any()
    assert deep.sum() > 300
