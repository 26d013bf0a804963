"""Faults of layers are found before a long job starts, all at once."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio

from alm_core.covariates.checks import check_layers, find_sentinel, layer_faults
from alm_core.covariates.layers import LayerSource
from alm_core.errors import CrsError, GridError, NodataError, RasterError, TooManyPixelsError
from alm_core.grid import Grid
from tests.rasters import write_raster


def no_crs(path, grid, relief):
    write_raster(path, relief, grid, crs=None)


def no_overlap(path, grid, relief):
    write_raster(path, relief, grid, transform=rasterio.Affine(0.05, 0, -120, 0, -0.05, 35))


def constant(path, grid, relief):
    write_raster(path, np.full(grid.shape, 3, np.float32), grid)


def all_nodata(path, grid, relief):
    write_raster(path, np.full(grid.shape, -9999, np.int16), grid, nodata=-9999)


def undeclared(path, grid, relief):
    stored = relief.astype(np.int16)
    stored[:3] = -32768
    write_raster(path, stored, grid)


def undeclared_float(path, grid, relief):
    stored = relief.copy()
    stored[:3] = -3.4028235e38
    write_raster(path, stored, grid)


def truncated(path, grid, relief):
    write_raster(path, relief, grid)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def renamed_vrt(path, grid, relief):
    path.write_text("<VRTDataset rasterXSize='1' rasterYSize='1'/>")


def too_large(path, grid, relief):
    with rasterio.open(
        path, "w", driver="GTiff", width=200_000, height=200_000, count=1, dtype="float32", crs=grid.crs, transform=grid.affine,
        tiled=True, blockxsize=8192, blockysize=8192, sparse_ok=True, bigtiff="yes",
    ):  # fmt: skip
        pass


PATHOLOGIES = [
    (no_crs, CrsError, "`crs`"),
    (no_overlap, GridError, r"-120, 32, -116, 35.*90, 32, 94, 35"),
    (constant, GridError, "same value 3"),
    (all_nodata, NodataError, "nothing but nodata"),
    (undeclared, NodataError, "nodata = -32768"),
    (undeclared_float, NodataError, "-3.40282e"),
    (truncated, RasterError, "truncated"),
    (renamed_vrt, RasterError, "VRT"),
    (too_large, TooManyPixelsError, "160 GB"),
]


@pytest.mark.parametrize(("make", "kind", "words"), PATHOLOGIES)
def test_each_pathology_is_named(tmp_path, grid, relief, make, kind, words):
    """One bad layer gives one error of its own class that names layer and file and says what to do."""
    path = tmp_path / "bad_file.tif"
    make(path, grid, relief)
    good = LayerSource(name="good", path=write_raster(tmp_path / "good.tif", relief, grid))
    with pytest.raises(kind, match=words) as caught:
        check_layers([good, LayerSource(name="bad", path=path)], grid)
    assert "Covariate bad: bad_file.tif" in str(caught.value)


def test_all_faults_come_in_one_error(tmp_path, grid, relief):
    """Nine bad layers are nine faults, in one text and in one list."""
    layers = []
    for make, _, _ in PATHOLOGIES:
        path = tmp_path / f"{make.__name__}.tif"
        make(path, grid, relief)
        layers.append(LayerSource(name=make.__name__, path=path))
    faults = layer_faults(layers, grid)
    assert [type(fault) for fault in faults] == [kind for _, kind, _ in PATHOLOGIES]
    with pytest.raises(RasterError, match="9 faults") as caught:
        check_layers(layers, grid)
    assert all(layer.name in str(caught.value) for layer in layers)


def test_faults_of_one_class_keep_it(tmp_path, grid, relief):
    """Two layers without CRS give a CrsError."""
    no_crs(tmp_path / "a.tif", grid, relief)
    layers = [LayerSource(name=name, path=tmp_path / "a.tif") for name in ("a", "b")]
    with pytest.raises(CrsError, match="2 faults"):
        check_layers(layers, grid)


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (no_crs, {"crs": "EPSG:4326"}),
        (undeclared, {"nodata": -32768.0}),
        (undeclared, {"minimum": -500.0}),
        (undeclared_float, {"minimum": -500.0}),
    ],
)
def test_each_remedy_works(tmp_path, grid, relief, make, options):
    """What the message advises makes the fault go away."""
    make(tmp_path / "a.tif", grid, relief)
    assert layer_faults([LayerSource(name="a", path=tmp_path / "a.tif", **options)], grid) == []


def test_grid_without_crs(tmp_path, grid, relief):
    """Layers without CRS suit a grid without one; a layer that has one does not."""
    bare = Grid(None, grid.transform, grid.shape)
    no_crs(tmp_path / "a.tif", grid, relief)
    write_raster(tmp_path / "b.tif", relief, grid)
    assert layer_faults([LayerSource(name="a", path=tmp_path / "a.tif")], bare) == []
    faults = layer_faults([LayerSource(name="b", path=tmp_path / "b.tif")], bare)
    assert isinstance(faults[0], CrsError)
    assert "[grid]" in str(faults[0])


def test_longitudes_from_0_to_360_are_named(tmp_path):
    """A global raster on 0..360 would lose the western hemisphere of a circumpolar grid."""
    world = Grid.from_bounds((0, 40, 360, 80), 5, crs="EPSG:4326")
    path = write_raster(tmp_path / "world.tif", np.random.default_rng(0).normal(size=world.shape).astype(np.float32), world)
    polar = Grid.from_bounds((-3e6, -3e6, 3e6, 3e6), 100_000, crs="EPSG:3995")
    faults = layer_faults([LayerSource(name="a", path=path)], polar)
    assert "-180..180" in str(faults[0])
    eastern = Grid.from_bounds((70, 45, 110, 75), 5, crs="EPSG:4326")
    assert layer_faults([LayerSource(name="a", path=path)], eastern) == []


def test_a_layer_that_varies_only_off_the_sample_is_not_constant(tmp_path):
    """One cell that differs, outside all sampled squares, is found before a layer is called constant."""
    grid = Grid.from_bounds((70, 10, 100, 40), 0.01, crs="EPSG:4326")
    stored = np.zeros(grid.shape, np.uint8)
    stored[300, 300] = 1
    path = write_raster(tmp_path / "a.tif", stored, grid, compress="zstd", tiled=True)
    assert layer_faults([LayerSource(name="a", path=path)], grid) == []


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.r_[np.full(50, 65535), np.arange(2000)].astype(np.uint16), 65535.0),
        (np.r_[np.full(50, 255), np.arange(1, 33)].astype(np.uint8), 255.0),
        (np.arange(256).astype(np.uint8), None),
        (np.r_[np.full(50, -9999), np.arange(-2000, 10000)].astype(np.int16), -9999.0),
        (np.r_[-9999, np.arange(5000)].astype(np.int16), None),
        (np.r_[np.full(50, -9999), np.arange(-9998, -9000)].astype(np.int16), None),
        (np.r_[np.full(50, 1e20), np.linspace(0, 1)].astype(np.float32), float(np.float32(1e20))),
        (np.array([], np.float32), None),
    ],
)
def test_find_sentinel(values, expected):
    """A usual sentinel counts only where it is extreme, frequent and far from the rest."""
    assert find_sentinel(values) == expected
