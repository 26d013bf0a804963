"""Staging and reading a stack."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import rasterio

from alm_core.covariates.stack import DerivedSource, LayerSource, Stack, stage
from alm_core.errors import CrsError, GridError, NodataError, RasterError, StudyError, WorkspaceError
from alm_core.grid import Grid
from tests.rasters import read_raster, write_raster


@pytest.fixture
def holed(relief):
    """The relief with a corner missing."""
    holed = relief.copy()
    holed[:5, :7] = np.nan
    return holed


def test_files_are_tiled_float32_with_nan(make_stack, grid, holed):
    """Staged files carry the grid, tiles, NaN nodata, name and tags; numbers are those of the source."""
    stack = make_stack({"elevation": holed}, block_size=32)
    with rasterio.open(stack.file("elevation"), driver="GTiff") as dataset:
        assert Grid.from_dataset(dataset) == grid
        assert dataset.block_shapes == [(32, 32)]
        assert dataset.dtypes == ("float32",)
        assert np.isnan(dataset.nodata)
        assert dataset.descriptions == ("elevation",)
        assert dataset.tags()["group"] == "other"
        np.testing.assert_array_equal(dataset.read(1), holed)
    assert sorted(path.name for path in stack.folder.iterdir()) == ["elevation.tif", "mask.tif", "stack.json"]


def test_report_counts_the_cells_inside_the_mask(tmp_path, grid, holed):
    """Valid, missing and out-of-range cells, minimum, maximum and mean are those inside the mask."""
    mask = np.zeros(grid.shape, np.uint8)
    mask[:30] = 2
    path = write_raster(tmp_path / "a.tif", holed, grid)
    stack = stage(
        [LayerSource(name="a", path=path, maximum=4900.0)], [], grid, tmp_path / "stack",
        mask_path=write_raster(tmp_path / "m.tif", mask, grid), mask_values=(2,), block_size=16,
    )  # fmt: skip
    report, inside = stack.report["a"], holed[:30]
    kept = inside[inside <= 4900]
    assert report["cells_inside_mask"] == 2400 == stack.report["mask"]["cells_inside_mask"]
    assert report["valid"] == kept.size
    assert report["out_of_range"] == np.count_nonzero(inside > 4900)
    assert report["missing"] == 2400 - kept.size
    assert report["maximum"] == pytest.approx(kept.max())
    assert report["mean"] == pytest.approx(kept.mean(dtype=float))
    assert report["done"] == "already on the grid"


def test_names_groups_and_inputs(tmp_path, grid, relief):
    """Layers with use = false are staged and can be read, but are not offered; derived layers come last."""
    write_raster(tmp_path / "bands.tif", np.stack([relief, relief * 2 + 50]), grid)
    layers = [
        LayerSource(name="red", path=tmp_path / "bands.tif", use=False),
        LayerSource(name="nir", path=tmp_path / "bands.tif", band=2, group="vegetation", unit="1"),
    ]
    derived = [DerivedSource(name="ndvi", method="ndvi", inputs={"nir": "nir", "red": "red"}, group="vegetation")]
    stack = stage(layers, derived, grid, tmp_path / "stack")
    assert stack.names == ("nir", "ndvi")
    assert stack.inputs == ("red",)
    assert stack.groups == {"red": "other", "nir": "vegetation", "ndvi": "vegetation"}
    assert stack.units["nir"] == "1"
    block = next(grid.blocks(1000))
    with stack.reader(["ndvi", "red"]) as reader:
        found = reader.read(block)
    np.testing.assert_allclose(found[0], (relief + 50) / (3 * relief + 50), rtol=1e-5)
    np.testing.assert_array_equal(found[1], relief)


def test_open_gives_what_stage_gave(make_stack, holed):
    """A stack survives its folder; stack.json holds no path of the machine."""
    stack = make_stack({"a": holed})
    assert Stack.open(stack.folder) == stack
    assert str(stack.folder.parent) not in (stack.folder / "stack.json").read_text()


@pytest.mark.parametrize("spoil", ["no json", "half a json", "other version", "lost file"])
def test_unfinished_stacks_are_refused(make_stack, relief, spoil):
    """A folder that was not finished, or lost a file, is named."""
    stack = make_stack({"a": relief})
    file = stack.folder / "stack.json"
    text = file.read_text()
    if spoil == "no json":
        file.unlink()
    elif spoil == "half a json":
        file.write_text(text[: len(text) // 2])
    elif spoil == "other version":
        file.write_text(json.dumps(json.loads(text) | {"version": 99}))
    else:
        stack.file("a").unlink()
    with pytest.raises(WorkspaceError, match="Stage the covariates again"):
        Stack.open(stack.folder)


def test_reader_reads_blocks_and_masks(make_stack, tmp_path, grid, holed):
    """Blocks, padded blocks and mask blocks are cuts of the whole arrays."""
    mask = (np.arange(grid.size).reshape(grid.shape) % 3 == 0).astype(np.uint8)
    path = write_raster(tmp_path / "m.tif", mask, grid)
    stack = make_stack({"a": holed, "b": holed * 2}, mask_path=path, block_size=16)
    with stack.reader() as reader:
        for block in grid.blocks(17, halo=3):
            expected = np.stack([holed, holed * 2])[:, *block.padded.slices]
            np.testing.assert_array_equal(reader.read(block.padded), expected)
            np.testing.assert_array_equal(reader.mask(block), mask[block.slices] == 1)
            assert reader.read(block).shape == (2, *block.shape)


def test_reader_serves_many_threads(make_stack, grid, relief):
    """One reader used from several threads at once gives right blocks, with handles of its own for each thread."""
    stack = make_stack({"a": relief, "b": relief + 1}, block_size=16)
    barrier = threading.Barrier(4)

    def work(number):
        barrier.wait()
        for block in grid.blocks(16):
            np.testing.assert_array_equal(reader.read(block)[1], relief[block.slices] + 1)
        return number

    with stack.reader() as reader, ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(4))) == [0, 1, 2, 3]
        assert len(reader._opened) == 8
    assert reader._opened == []


def test_unknown_layer_is_named(make_stack, relief):
    """Asking for a layer that is not staged lists those that are."""
    with pytest.raises(StudyError, match="slope"):
        make_stack({"a": relief}).reader(["slope"])


@pytest.mark.parametrize("workers", [2, 3])
def test_workers_change_nothing(make_stack, relief, workers):
    """Files and reports are byte for byte the same for one thread and several."""
    derived = [
        DerivedSource(name="slope", method="slope", inputs={"elevation": "a"}),
        DerivedSource(name="steep", method="slope", inputs={"elevation": "slope"}),
        DerivedSource(name="aspect", method="aspect", inputs={"elevation": "a"}),
    ]
    arrays = {"a": relief, "b": relief * 2, "c": relief + 5}
    one = make_stack(arrays, derived=derived, block_size=16, folder="one")
    more = make_stack(arrays, derived=derived, block_size=16, folder="more", workers=workers)
    assert one == replace(more, folder=one.folder)
    for name in (*one.names, "mask"):
        assert one.file(name).read_bytes() == more.file(name).read_bytes()


def test_derived_layers_do_not_depend_on_blocks(make_stack, grid, relief):
    """Layers with a halo are the same computed by small blocks and by one."""
    relief[20:24, 30:33] = np.nan
    methods = ("slope", "aspect", "northness", "eastness")
    derived = [DerivedSource(name=method, method=method, inputs={"elevation": "a"}) for method in methods]
    small = make_stack({"a": relief}, derived=derived, block_size=16, folder="small")
    whole = make_stack({"a": relief}, derived=derived, block_size=512, folder="whole")
    for name in methods:
        np.testing.assert_array_equal(read_raster(small.file(name)), read_raster(whole.file(name)))
        assert np.isnan(read_raster(small.file(name))).sum() >= 12


def test_progress_counts_every_block_once(make_stack, relief):
    """Progress rises by one to the total, whatever the number of threads."""
    seen = []
    make_stack({"a": relief, "b": relief * 2}, block_size=16, workers=2, progress=lambda *step: seen.append(step))
    total = 3 * 4 * 5
    assert [done for done, _, _ in seen] == list(range(1, total + 1))
    assert {message for _, _, message in seen} == {"mask", "a", "b"}
    assert all(of == total for _, of, _ in seen)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_stopped_staging_leaves_no_stack(make_stack, relief, workers):
    """An interruption ends the job, leaves no half file and no stack.json, and a second try works."""
    stack = make_stack({"a": relief, "b": relief * 2}, block_size=16)

    def interrupt(done, total, message):
        if done == 30:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_stack({"a": relief, "b": relief * 2}, block_size=16, workers=workers, progress=interrupt)
    assert not list(stack.folder.glob(".*"))
    assert not (stack.folder / "stack.json").exists()
    assert make_stack({"a": relief, "b": relief * 2}, block_size=16) == stack


def test_mask_on_another_grid(make_stack, tmp_path, grid, relief):
    """A coarse mask comes by the nearest cell, a fine one by the commonest value; outside of it nothing is mapped."""
    coarse = Grid.from_bounds((90, 33, 94, 35), 0.5, crs="EPSG:4326")
    chosen = np.zeros(coarse.shape, np.uint8)
    chosen[1:3, 2:4] = 1
    stack = make_stack({"a": relief}, mask_path=write_raster(tmp_path / "coarse.tif", chosen, coarse), block_size=16)
    expected = np.zeros(grid.shape, np.uint8)
    expected[:40] = chosen.repeat(10, 0).repeat(10, 1)
    np.testing.assert_array_equal(read_raster(stack.file("mask")), expected)
    fine = Grid.from_bounds(grid.bounds, 0.0125, crs=grid.crs)
    grains = expected.repeat(4, 0).repeat(4, 1)
    grains[::4, ::4] = 1 - grains[::4, ::4]
    stack = make_stack({"a": relief}, mask_path=write_raster(tmp_path / "fine.tif", grains, fine), folder="fine")
    np.testing.assert_array_equal(read_raster(stack.file("mask")), expected)
    assert stack.report["mask"]["done"] == "resampled by mode"


def test_mask_faults(make_stack, tmp_path, grid, relief):
    """A mask without the asked value, or without a CRS, is refused; the CRS may be given."""
    path = write_raster(tmp_path / "m.tif", np.ones(grid.shape, np.uint8), grid, crs=None)
    with pytest.raises(CrsError):
        make_stack({"a": relief}, mask_path=path)
    with pytest.raises(NodataError, match="mask_values"):
        make_stack({"a": relief}, mask_path=path, mask_crs="EPSG:4326", mask_values=(5,))
    assert make_stack({"a": relief}, mask_path=path, mask_crs="EPSG:4326").report["mask"]["cells_inside_mask"] == grid.size


def test_mask_nodata_is_not_mapped(make_stack, tmp_path, grid, relief):
    """A nodata cell of the mask is outside even where its number is among the values."""
    mask = np.ones(grid.shape, np.uint8)
    mask[:10] = 0
    path = write_raster(tmp_path / "m.tif", mask, grid, nodata=0)
    assert make_stack({"a": relief}, mask_path=path, mask_values=(0, 1)).report["mask"]["cells_inside_mask"] == 4000


def test_faults_seen_only_inside_the_mask(make_stack, tmp_path, grid, relief):
    """Layers that are empty or constant inside the mask are all named, those only computed from are let be."""
    mask = np.zeros(grid.shape, np.uint8)
    mask[:10] = 1
    empty, flat = relief.copy(), relief.copy()
    empty[:10], flat[:10] = np.nan, 1
    path = write_raster(tmp_path / "m.tif", mask, grid)
    with pytest.raises(RasterError, match="2 faults") as caught:
        make_stack({"good": relief, "empty": empty, "flat": flat}, mask_path=path)
    assert "Layer empty has no valid cell" in str(caught.value)
    assert "Layer flat has the same value 1" in str(caught.value)
    layers = [LayerSource(name=name, path=tmp_path / f"in_{name}.tif", use=name == "good") for name in ("good", "flat")]
    assert stage(layers, [], grid, tmp_path / "let_be", mask_path=path).names == ("good",)


def test_grids_without_crs_are_staged(tmp_path, grid, relief):
    """Where nothing has a CRS, layers are copied or resampled along the same axes."""
    bare = Grid(None, grid.transform, grid.shape)
    coarse = Grid.from_bounds(grid.bounds, 0.2, crs=None)
    layers = [
        LayerSource(name="same", path=write_raster(tmp_path / "a.tif", relief, bare)),
        LayerSource(name="coarse", path=write_raster(tmp_path / "b.tif", relief[::4, ::4], coarse), resampling="nearest"),
    ]
    stack = stage(layers, [], bare, tmp_path / "stack", block_size=16)
    np.testing.assert_array_equal(read_raster(stack.file("same")), relief)
    np.testing.assert_array_equal(read_raster(stack.file("coarse")), relief[::4, ::4].repeat(4, 0).repeat(4, 1))
    assert Stack.open(stack.folder).grid.crs is None


def test_shared_names_are_refused(tmp_path, grid, relief):
    """Names that one file name would serve are refused."""
    path = write_raster(tmp_path / "a.tif", relief, grid)
    with pytest.raises(StudyError, match="ndvi"):
        stage([LayerSource(name="NDVI", path=path), LayerSource(name="ndvi", path=path)], [], grid, tmp_path / "stack")


@pytest.mark.parametrize("size", [0, 8, 100])
def test_block_size_must_make_tiles(make_stack, relief, size):
    """Tiles of a TIFF are multiples of 16 cells."""
    with pytest.raises(GridError, match="multiple of 16"):
        make_stack({"a": relief}, block_size=size)


def test_a_folder_that_cannot_be_made(tmp_path, grid, relief):
    """A file where the folder should be gives a WorkspaceError."""
    (tmp_path / "stack").write_text("in the way")
    path = write_raster(tmp_path / "a.tif", relief, grid)
    with pytest.raises(WorkspaceError, match="can't be written"):
        stage([LayerSource(name="a", path=path)], [], grid, tmp_path / "stack")


def test_a_full_disk_is_named_and_leaves_nothing(tmp_path, grid, relief):
    """Where a file can't grow any more the staging ends with a WorkspaceError, and nothing half written stays."""
    resource = pytest.importorskip("resource", reason="limits of file size are a Unix thing")
    noisy = relief + np.random.default_rng(0).normal(size=grid.shape).astype(np.float32)
    path = write_raster(tmp_path / "a.tif", noisy, grid)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6000, hard))
    try:
        with pytest.raises(WorkspaceError, match="disk"):
            stage([LayerSource(name="a", path=path)], [], grid, tmp_path / "stack", block_size=16)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [file.name for file in (tmp_path / "stack").iterdir()] == ["mask.tif"]


def test_a_damaged_source_found_late_names_layer_and_leaves_nothing(make_stack, tmp_path, grid, relief):
    """Damage that the checks can't see (a tile overwritten) ends the staging with the file and band."""
    noisy = relief + np.random.default_rng(0).normal(size=grid.shape).astype(np.float32)
    path = write_raster(tmp_path / "a.tif", noisy, grid, tiled=True, blockxsize=16, blockysize=16, compress="zstd")
    with rasterio.open(path) as dataset:
        start = int(dataset.get_tag_item("BLOCK_OFFSET_4_3", "TIFF", bidx=1))
    content = bytearray(path.read_bytes())
    content[start : start + 100] = bytes(100)
    path.write_bytes(bytes(content))
    with pytest.raises(RasterError, match=r"a.tif, band 1 can't be read"):
        stage([LayerSource(name="a", path=path)], [], grid, tmp_path / "stack", check=False, block_size=16)
    assert not (tmp_path / "stack" / "a.tif").exists()
    assert not list((tmp_path / "stack").glob(".*"))


def test_real_plateau_grids_stage_together(tmp_path, shared_data):
    """Real layers of the plateau come onto a grid of another CRS with plausible numbers, lakes and all."""
    folder = shared_data / "grids_qtp_0p05"
    target = Grid.from_bounds(
        (-1_500_000, 3_300_000, -500_000, 4_100_000), 10_000, crs="+proj=aea +lat_1=25 +lat_2=47 +lon_0=105"
    )
    layers = [
        LayerSource(name="elevation", path=folder / "elevation_m.tif", group="terrain", resampling="average"),
        LayerSource(name="koppen", path=folder / "koppen_code.tif", kind="categorical"),
        LayerSource(name="temperature", path=folder / "t2m_annual_lapse_c.tif", group="climate"),
    ]
    derived = [DerivedSource(name="slope", method="slope", inputs={"elevation": "elevation"})]
    stack = stage(layers, derived, target, tmp_path / "stack", mask_path=folder / "mask_tibet_plateau.tif", block_size=64)
    assert 3500 < stack.report["elevation"]["mean"] < 5200
    assert -10 < stack.report["temperature"]["mean"] < 5
    codes = read_raster(stack.file("koppen"))
    assert set(np.unique(codes[np.isfinite(codes)])) <= set(range(1, 33))
    assert 0 < stack.report["slope"]["mean"] < 10
    assert 0.4 < stack.report["mask"]["cells_inside_mask"] / target.size < 1


def test_real_rasters_without_crs_stage_where_the_study_names_it(tmp_path, shared_data):
    """The Meuse layers carry no CRS: refused as they are, staged bit for bit with the CRS that the study gives."""
    folder = shared_data / "benchmark_meuse"
    grid = Grid("EPSG:28992", (40.0, 0.0, 178440.0, 0.0, -40.0, 333760.0), (104, 78))
    layers = [
        LayerSource(name="dem", path=folder / "dem.tif"),
        LayerSource(name="flood", path=folder / "ffreq.tif", kind="categorical"),
    ]
    with pytest.raises(CrsError, match="2 faults"):
        stage(layers, [], grid, tmp_path / "stack")
    stack = stage([replace(layer, crs="EPSG:28992") for layer in layers], [], grid, tmp_path / "stack", block_size=32)
    stored = read_raster(folder / "dem.tif")
    np.testing.assert_array_equal(read_raster(stack.file("dem")), np.where(stored == -99999, np.nan, stored))
    assert stack.report["flood"]["maximum"] == 3
