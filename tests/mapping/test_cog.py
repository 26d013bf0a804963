"""Cloud-optimised GeoTIFFs: valid, described, deterministic, whole or absent."""

from __future__ import annotations

import errno
import os
import resource

import numpy as np
import pytest
import rasterio
from rasterio._err import CPLE_AppDefinedError
from rasterio.enums import Resampling
from rasterio.errors import RasterioIOError
from rio_cogeo import cog_validate

from alm_core.errors import DomainError, GridError, MissingFileError, NodataError, RasterError, WorkspaceError
from alm_core.grid import Grid
from alm_core.mapping import cog
from alm_core.mapping.cog import describe_raster, write_cog

GRID = Grid.from_bounds((90, 30, 91.2, 31.1), 0.001, crs="EPSG:4326")


@pytest.fixture(scope="module")
def values():
    """Two smooth bands with a hole and an edge of nodata."""
    rows, columns = GRID.shape
    first = np.add.outer(np.linspace(0, 1, rows), np.linspace(0, 0.5, columns))
    first[:300] = np.nan
    first[700:710, 200:220] = np.nan
    return np.stack([first, 2 * first]).astype(np.float32)


def cut(values, size):
    """Blocks of an array."""
    for block in GRID.blocks(size):
        yield block, values[(slice(None), *block.slices)]


def test_same_values_give_the_same_bytes(tmp_path, values):
    """An array, small blocks, large blocks and blocks in reverse order make one and the same file."""
    sources = [values, cut(values, 512), cut(values, 100), reversed(list(cut(values, 700)))]
    written = [
        write_cog(tmp_path / f"{number}.tif", source, GRID, band_names=["a", "b"], tags={"z": 1, "a": "x"}).path.read_bytes()
        for number, source in enumerate(sources)
    ]
    assert len(set(written)) == 1


@pytest.mark.parametrize("dtype", ["float32", "int16", "uint8"])
@pytest.mark.parametrize("compression", ["zstd", "deflate"])
def test_every_kind_is_a_valid_cog(tmp_path, values, dtype, compression):
    """rio-cogeo finds neither fault nor warning; tiles, overviews and compression are as asked; nothing lies beside it."""
    scale = 0.02 if dtype != "float32" else 1.0
    done = write_cog(tmp_path / "a.tif", values, GRID, band_names=["a", "b"], dtype=dtype, scale=scale, compression=compression)
    assert cog_validate(done.path, strict=True) == (True, [], [])
    about = describe_raster(done.path)
    assert (about["tile"], about["compression"], about["dtype"]) == ([512, 512], compression, dtype)
    assert about["overviews"] == [2, 4]
    assert done.cells_with_data == (int(np.isfinite(values[0]).sum()),) * 2
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]


def test_overviews_leave_nodata_out(tmp_path):
    """A constant field with holes stays constant in every overview, for floats and scaled integers."""
    field = np.where(np.random.default_rng(0).random(GRID.shape) < 0.5, 0.25, np.nan)
    for name, options in {"f.tif": {}, "i.tif": {"dtype": "int16", "scale": 0.0001}}.items():
        path = write_cog(tmp_path / name, field, GRID, band_names=["a"], **options).path
        for level in range(2):
            with rasterio.open(path, overview_level=level) as overview:
                found = overview.read(1, masked=True).compressed() * options.get("scale", 1)
                np.testing.assert_allclose(found, 0.25, atol=1e-6)


def test_class_overviews_hold_classes_only(tmp_path):
    """Classes are never averaged: an overview of 1 and 3 has no 2."""
    classes = np.where(np.indices(GRID.shape).sum(axis=0) % 2, 1, 3).astype(np.uint8)
    path = write_cog(tmp_path / "c.tif", classes, GRID, band_names=["c"], dtype="uint8", nodata=0, resampling="mode").path
    with rasterio.open(path, overview_level=0) as overview:
        assert set(np.unique(overview.read(1))) <= {1, 3}


def test_class_overviews_leave_nodata_out(tmp_path):
    """One cell of a class among three of nodata still shows, where GDAL's mode would show it too, and nodata never wins."""
    rng = np.random.default_rng(5)
    classes = rng.choice([0, 0, 0, 2, 7, 9], GRID.shape).astype(np.uint8)
    path = write_cog(tmp_path / "c.tif", classes, GRID, band_names=["c"], dtype="uint8", nodata=0, resampling="mode").path
    with rasterio.open(path) as dataset:
        profile = {**dataset.profile, "driver": "GTiff"}
    with rasterio.open(tmp_path / "gdal.tif", "w", **profile) as target:
        target.write(classes, 1)
    with rasterio.open(tmp_path / "gdal.tif", "r+") as target:
        target.build_overviews([2], Resampling.mode)
    with rasterio.open(path, overview_level=0) as ours, rasterio.open(tmp_path / "gdal.tif", overview_level=0) as theirs:
        found, expected = ours.read(1), theirs.read(1)
    four = classes.reshape(GRID.shape[0] // 2, 2, -1, 2).transpose(0, 2, 1, 3).reshape(*found.shape, 4)
    np.testing.assert_array_equal(found == 0, (four == 0).all(axis=-1))
    np.testing.assert_array_equal(found == 0, expected == 0)
    votes = np.stack([(four == number).sum(axis=-1) for number in (2, 7, 9)])
    clear = (votes == votes.max(axis=0)).sum(axis=0) == 1  # of equally common ones GDAL may take another
    assert clear.mean() > 0.5
    np.testing.assert_array_equal(found[clear], expected[clear])


def test_integers_round_trip_at_their_scale(tmp_path, values):
    """Stored numbers times scale plus offset are the values, to half a step; NaN becomes nodata."""
    path = write_cog(
        tmp_path / "a.tif", values, GRID, band_names=["a", "b"], dtype="int16", scale=(0.0001, 0.001), offset=(0.5, 0.0)
    ).path
    with rasterio.open(path) as dataset:
        assert (dataset.scales, dataset.offsets) == ((0.0001, 0.001), (0.5, 0.0))
        for band in (1, 2):
            found = dataset.read(band, masked=True) * dataset.scales[band - 1] + dataset.offsets[band - 1]
            np.testing.assert_array_equal(found.mask, np.isnan(values[band - 1]))
            assert np.abs(found - values[band - 1]).max() <= dataset.scales[band - 1] / 2 + 1e-6


def test_names_units_and_tags_are_read_back(tmp_path, values):
    """What was said of the bands and the file is there again; tags that are no text become JSON."""
    write_cog(
        tmp_path / "a.tif",
        values,
        GRID,
        band_names=["water", "ice 冰"],
        units=["m3 m-3", "1"],
        tags={"study": "demo", "weights": {"b": 1, "a": 2}, "simulated": True},
    )
    about = describe_raster(tmp_path / "a.tif")
    assert [(band["name"], band["unit"]) for band in about["bands"]] == [("water", "m3 m-3"), ("ice 冰", "1")]
    assert about["tags"] == {"study": "demo", "weights": '{"a": 2, "b": 1}', "simulated": "true"}
    assert (about["crs"], about["shape"], about["transform"]) == (GRID.crs, list(GRID.shape), list(GRID.transform))


@pytest.mark.parametrize(
    ("value", "options", "hint"),
    [
        (4.0, {"dtype": "int16", "scale": 0.0001}, "a scale of at least 0.00013"),
        (-3.2768, {"dtype": "int16", "scale": 0.0001}, "int16"),
        (255.0, {"dtype": "uint8"}, "nodata 255"),
        (-1.0, {"dtype": "uint8"}, "uint8"),
        (1e300, {}, "float32"),
        (-9999.0, {"nodata": -9999.0}, "another nodata"),
        (np.inf, {"dtype": "int16"}, "int16"),
    ],
)
def test_values_that_do_not_fit_are_refused(tmp_path, value, options, hint):
    """Nothing is cut or read back as nodata in silence, and no file is left."""
    field = np.full(GRID.shape, 0.1)
    field[5, 5] = value
    with pytest.raises(DomainError, match=hint):
        write_cog(tmp_path / "a.tif", field, GRID, band_names=["a"], **options)
    assert list(tmp_path.iterdir()) == []


def test_infinite_bounds_are_kept(tmp_path):
    """An infinite interval is honest and survives."""
    field = np.full(GRID.shape, np.inf, np.float32)
    path = write_cog(tmp_path / "a.tif", field, GRID, band_names=["upper"]).path
    with rasterio.open(path) as dataset:
        assert np.isinf(dataset.read(1)).all()


def test_grid_without_crs(tmp_path, values):
    """A grid without a CRS gives a valid COG without one."""
    path = write_cog(tmp_path / "a.tif", values, Grid(None, GRID.transform, GRID.shape), band_names=["a", "b"]).path
    assert describe_raster(path)["crs"] is None
    assert cog_validate(path, strict=True)[0]


@pytest.mark.parametrize(
    "fault",
    [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), RasterioIOError("Write failed"), CPLE_AppDefinedError(3, 1, "TIFFAppend")],
    ids=["os", "rasterio", "gdal"],
)
def test_full_disk_leaves_the_old_file(tmp_path, values, monkeypatch, fault):
    """A write that fails says path, bytes needed and bytes free, removes its parts and leaves the old file."""
    path = tmp_path / "a.tif"
    path.write_text("old", encoding="utf-8")

    def break_off(source, target, **options):
        target.write_bytes(b"half a file")
        raise fault

    monkeypatch.setattr(cog.rasterio.shutil, "copy", break_off)
    with pytest.raises(WorkspaceError, match=r"a\.tif could not be written.*\d+ bytes.*are free"):
        write_cog(path, values, GRID, band_names=["a", "b"])
    assert path.read_text(encoding="utf-8") == "old"
    assert [part.name for part in tmp_path.iterdir()] == ["a.tif"]


@pytest.fixture
def largest_file():
    """Sets how large a file of this process may grow: GDAL fails beyond it as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("part", [0.001, 0.4, 0.75, 0.9, 0.98, 0.9999, 1.5])
def test_a_raster_is_whole_or_not_there(tmp_path, largest_file, part):
    """Wherever the disk ends, in the staged file, an overview or the last tile: the same bytes, or an error and nothing left."""
    noise = np.random.default_rng(0).normal(size=GRID.shape)
    noise[:400] = np.nan
    whole = write_cog(tmp_path / "a.tif", noise, GRID, band_names=["a"]).path.read_bytes()
    (tmp_path / "a.tif").unlink()
    largest_file(int(part * len(whole)))
    if part > 1:
        assert write_cog(tmp_path / "a.tif", noise, GRID, band_names=["a"]).path.read_bytes() == whole
    else:
        with pytest.raises(WorkspaceError, match="the disk may be full"):
            write_cog(tmp_path / "a.tif", noise, GRID, band_names=["a"])
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("lost", ["end", "tile"])
def test_lost_values_are_noticed(tmp_path, monkeypatch, lost):
    """A file whose end was lost without an error, or a tile of it, is never given its name."""
    real = rasterio.shutil.copy
    noise = np.random.default_rng(0).normal(size=GRID.shape).astype(np.float32)

    def lose(source, target, **options):
        if lost == "tile":
            with rasterio.open(source, "r+") as dataset:
                dataset.write(np.full((512, 512), np.nan, np.float32), 1, window=((512, 1024), (0, 512)))
        real(source, target, **options)
        if lost == "end":
            os.truncate(target, target.stat().st_size - 2000)

    monkeypatch.setattr(cog.rasterio.shutil, "copy", lose)
    with pytest.raises(WorkspaceError, match="the disk may be full"):
        write_cog(tmp_path / "a.tif", noise, GRID, band_names=["a"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("count", [1, 3, 5])
@pytest.mark.parametrize(
    ("dtype", "compression"), [("float32", "deflate"), ("float32", "zstd"), ("int16", "zstd"), ("uint8", "deflate")]
)
def test_gdal_reads_what_was_written(tmp_path, count, dtype, compression):
    """Every bit of every cell and band, at the edges too, as GDAL's own COG driver would have kept it."""
    rng = np.random.default_rng(count)
    raw = rng.integers(0, 2**32, (count, *GRID.shape), np.uint32).view(np.float32) if dtype == "float32" else None
    given = raw if raw is not None else rng.integers(0, 250, (count, *GRID.shape)).astype(dtype)
    path = write_cog(
        tmp_path / "a.tif", given, GRID, band_names=[f"b{band}" for band in range(count)], dtype=dtype, compression=compression
    ).path
    with rasterio.open(path, driver="GTiff") as dataset:
        np.testing.assert_array_equal(dataset.read(), given)
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert dataset.colorinterp[0].name == "gray"


def test_large_grids_get_large_offsets(tmp_path):
    """Where a file might outgrow classic TIFF it is a BigTIFF, as valid, and its values are where they belong."""
    grid = Grid.from_bounds((0, 0, 30_000, 18_000), 1, crs="EPSG:32645")
    nothing = np.broadcast_to(np.float32(np.nan), (1, 2048, 2048))
    blocks = ((block, nothing[:, : block.shape[0], : block.shape[1]]) for block in grid.blocks(2048))
    corner = nothing.copy()
    corner[0, 5:7, 8:10] = 0.25
    given = ((block, corner if block.name == "r00003c00004" else values) for block, values in blocks)
    path = write_cog(tmp_path / "a.tif", given, grid, band_names=["a"]).path
    assert path.read_bytes()[:4] == b"II+\0"
    assert cog_validate(path, strict=True)[0]
    with rasterio.open(path) as dataset:
        found = dataset.read(1, window=((3 * 2048, 3 * 2048 + 20), (4 * 2048, 4 * 2048 + 20)))
    assert np.argwhere(np.isfinite(found)).tolist() == [[5, 8], [5, 9], [6, 8], [6, 9]]
    with rasterio.open(path, overview_level=0) as dataset:
        found = dataset.read(1, window=((3 * 1024, 3 * 1024 + 20), (4 * 1024, 4 * 1024 + 20)))
    assert np.argwhere(np.isfinite(found)).tolist() == [[2, 4], [3, 4]]


def test_threads_do_not_change_the_file(tmp_path, values, monkeypatch):
    """One thread or eight: the same bytes."""
    written = []
    for threads in (1, 8):
        monkeypatch.setattr(cog, "_threads", lambda threads=threads: threads)
        written.append(write_cog(tmp_path / f"{threads}.tif", cut(values, 200), GRID, band_names=["a", "b"]).path.read_bytes())
    assert written[0] == written[1]


def test_empty_raster_is_small_and_whole(tmp_path):
    """Nothing but nodata: no tile is there, the file is as valid, and it reads as nodata on every level."""
    grid = Grid.from_bounds((90, 30, 93, 32), 0.0005, crs="EPSG:4326")
    blocks = ((block, np.broadcast_to(np.float32(np.nan), (4, *block.shape))) for block in grid.blocks(512))
    done = write_cog(tmp_path / "a.tif", blocks, grid, band_names=list("abcd"))
    assert (done.cells_with_data, cog_validate(done.path, strict=True)[0]) == ((0,) * 4, True)
    assert done.size_bytes < 5000
    for level in (None, 0, 2):
        with rasterio.open(done.path, **({} if level is None else {"overview_level": level})) as dataset:
            assert dataset.get_tag_item("BLOCK_OFFSET_0_0", "TIFF", bidx=1) is None
            assert np.isnan(dataset.read(4, window=((0, 600), (0, 600)))).all()


def test_target_in_a_file_is_refused(tmp_path, values):
    """A folder that is a file is named."""
    (tmp_path / "map").write_text("x", encoding="utf-8")
    with pytest.raises(WorkspaceError, match="map"):
        write_cog(tmp_path / "map" / "a.tif", values, GRID, band_names=["a", "b"])


def test_blocks_must_cover_the_grid(tmp_path, values):
    """A missing block, a block of another size and an array of another grid are refused."""
    with pytest.raises(GridError, match="blocks cover"):
        write_cog(tmp_path / "a.tif", list(cut(values, 512))[:-1], GRID, band_names=["a", "b"])
    twice = list(cut(values, 512))
    with pytest.raises(GridError, match="2 times"):
        write_cog(tmp_path / "a.tif", [*twice, twice[4]], GRID, band_names=["a", "b"])
    with pytest.raises(GridError, match="exactly once"):
        write_cog(tmp_path / "a.tif", [twice[0], *twice[:1], *twice[2:]], GRID, band_names=["a", "b"])
    with pytest.raises(GridError, match="was expected"):
        write_cog(tmp_path / "a.tif", ((block, part[:, 1:]) for block, part in cut(values, 512)), GRID, band_names=["a", "b"])
    with pytest.raises(GridError, match=r"Expected \[band, row, column\]"):
        write_cog(tmp_path / "a.tif", values[:, :-1], GRID, band_names=["a", "b"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"dtype": "float64"}, RasterError),
        ({"compression": "lzw"}, RasterError),
        ({"resampling": "magic"}, RasterError),
        ({"units": ["m"]}, RasterError),
        ({"scale": [1.0]}, RasterError),
        ({"scale": 0.0}, DomainError),
        ({"dtype": "uint8", "nodata": 300}, NodataError),
        ({"dtype": "int16", "nodata": float("nan")}, NodataError),
    ],
)
def test_bad_options_are_refused(tmp_path, values, options, error):
    """Options are checked before anything is written; integers never get NaN as nodata."""
    with pytest.raises(error):
        write_cog(tmp_path / "a.tif", values, GRID, band_names=["a", "b"], **options)
    assert list(tmp_path.iterdir()) == []


def test_describing_refuses_disguises(tmp_path):
    """A missing file and a VRT that calls itself .tif are refused, each by its class."""
    with pytest.raises(MissingFileError):
        describe_raster(tmp_path / "none.tif")
    (tmp_path / "v.tif").write_text('<VRTDataset rasterXSize="1" rasterYSize="1"></VRTDataset>', encoding="utf-8")
    with pytest.raises(RasterError, match="GeoTIFF"):
        describe_raster(tmp_path / "v.tif")
