"""Mapping a grid: the same bytes for any block size, number of workers and interruption."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import rasterio
from rio_cogeo import cog_validate

from alm_core.errors import DomainError, LearnerError, LedgerError
from alm_core.learning.class_fusion import fit_class_fusion
from alm_core.mapping.block import predict_block
from alm_core.mapping.cog import describe_raster
from alm_core.mapping.predict import map_blocks

from .conftest import Classes, Linear, World


@pytest.fixture
def run_map(reader_of, names):
    """Map a world with some defaults."""

    def run(world, folder, **options):
        members = options.pop("members", world.members)
        fusion = options.pop("fusion", world.fusion)
        settings = {"applicability": world.applicability, "unit": "m3 m-3", "block_size": 64, "fingerprint": "abc"}
        return map_blocks(reader_of(world), world.grid, members, fusion, names=names, folder=folder, **(settings | options))

    return run


def content(result):
    """Bytes of every raster of a map."""
    return {name: path.read_bytes() for name, path in result.paths.items()}


def test_tiled_equals_whole(world, run_map, tmp_path):
    """The rasters hold what one call over the whole grid gives."""
    result = run_map(world, tmp_path)
    whole = predict_block(world.values, world.mask, world.members, world.fusion, world.applicability)
    with rasterio.open(result.paths["fused"], driver="GTiff") as fused:
        np.testing.assert_array_equal(fused.read(1), whole.value)
    with rasterio.open(result.paths["members"], driver="GTiff") as members:
        np.testing.assert_array_equal(members.read(), whole.members)
    with rasterio.open(result.paths["uncertainty"], driver="GTiff") as uncertainty:
        expected = [whole.lower, whole.upper, whole.dissimilarity, whole.density, whole.inside]
        np.testing.assert_array_equal(uncertainty.read(), np.stack(expected))
    assert result.counts == whole.counts


def test_block_size_and_workers_change_no_byte(world, run_map, tmp_path):
    """Three cuts of the grid, one and two threads: the same files."""
    plans = [(64, 1), (64, 2), (37, 2), (512, 1)]
    found = [run_map(world, tmp_path / f"{size}-{workers}", block_size=size, workers=workers) for size, workers in plans]
    for other in found[1:]:
        assert content(other) == content(found[0])
        assert other.counts == found[0].counts


def test_resumed_map_is_the_clean_one(world, run_map, tmp_path):
    """Blocks that were deleted or damaged are made again, the others are not, and no byte differs."""
    clean = run_map(world, tmp_path / "clean")
    run_map(world, tmp_path / "again")
    blocks = sorted((tmp_path / "again" / "blocks").glob("r*.block"))
    blocks[0].unlink()
    blocks[3].unlink()
    blocks[4].write_bytes(blocks[4].read_bytes()[:-40])
    blocks[5].write_bytes(b"")
    resumed = run_map(world, tmp_path / "again")
    assert resumed.reused_blocks == len(blocks) - 4
    assert content(resumed) == content(clean)
    assert resumed.counts == clean.counts


@pytest.mark.parametrize("fault", [KeyboardInterrupt, LearnerError])
def test_fault_in_the_middle_leaves_finished_blocks(world, run_map, tmp_path, fault):
    """Ctrl-C or a fault in a member is passed on; what was finished stays and the resumed map is the clean one."""
    clean = run_map(world, tmp_path / "clean")
    calls = []

    class Failing(Linear):
        def predict_block(self, values, valid):
            calls.append(1)
            if len(calls) == 4:
                raise fault("stop here")
            return super().predict_block(values, valid)

    members = (Failing("first", world.members[0].weights), world.members[1])
    with pytest.raises(fault):
        run_map(world, tmp_path / "stopped", members=members)
    finished = list((tmp_path / "stopped" / "blocks").glob("r*.block"))
    assert 0 < len(finished) < clean.blocks
    assert not (tmp_path / "stopped" / "fused.tif").exists()
    resumed = run_map(world, tmp_path / "stopped")
    assert resumed.reused_blocks == len(finished)
    assert content(resumed) == content(clean)


def test_fault_in_progress_stops_the_threads(world, run_map, tmp_path):
    """A progress callback that raises (a cancelled job) ends the map and leaves no thread behind."""

    def stop(done, total, message):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_map(world, tmp_path, progress=stop)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("map")]


def test_leftovers_of_a_killed_program_go(world, run_map, tmp_path):
    """Half-written blocks and rasters are removed by the next call; a user's hidden file stays."""
    (tmp_path / "blocks").mkdir()
    mark = "0123456789abcdef" * 2
    parts = [f"blocks/.r00000c00000.{mark}.tif", f".fused.{mark}.staged.tif", f".members.{mark}.tif"]
    for part in [*parts, ".notes.tif"]:
        (tmp_path / part).write_bytes(b"half")
    run_map(world, tmp_path)
    assert not any((tmp_path / part).exists() for part in parts)
    assert (tmp_path / ".notes.tif").exists()


def test_other_inputs_are_refused(world, run_map, tmp_path):
    """Blocks of other inputs are never mixed in; restart=True begins anew, but keeps blocks of the same inputs."""
    first = run_map(world, tmp_path)
    assert run_map(world, tmp_path, restart=True).reused_blocks == first.blocks
    with pytest.raises(LedgerError, match="different: fingerprint"):
        run_map(world, tmp_path, fingerprint="other")
    assert run_map(world, tmp_path, fingerprint="other", restart=True).reused_blocks == 0


def test_interrupted_map_keeps_its_block_size(world, run_map, tmp_path):
    """Asking for another block size goes on with the blocks that are there."""
    first = run_map(world, tmp_path)
    second = run_map(world, tmp_path, block_size=32)
    assert second.block_size == 64
    assert second.reused_blocks == first.blocks
    assert content(second) == content(first)


def test_masked_blocks_are_never_read(world, run_map, tmp_path):
    """Covariates of a block outside the mask are not read; each thread opens its own reader."""
    world.mask[:] = False
    world.mask[:20, :20] = True
    run_map(world, tmp_path, workers=2)
    assert world.reads == 1
    assert 1 <= world.opened <= 2


def test_files_state_what_they_are(world, run_map, tmp_path):
    """Valid COGs with band names, units, nodata and tags."""
    result = run_map(world, tmp_path, tags={"study": "demo", "simulated": True, "weights": {"first": 0.4}})
    for path in result.paths.values():
        assert cog_validate(path, strict=True) == (True, [], [])
        assert describe_raster(path)["tags"] == {"study": "demo", "simulated": "true", "weights": '{"first": 0.4}'}
    about = describe_raster(result.paths["uncertainty"])
    assert [band["name"] for band in about["bands"]] == ["lower", "upper", "dissimilarity", "density", "inside"]
    assert [band["unit"] for band in about["bands"]] == ["m3 m-3", "m3 m-3", "1", "sites", "1"]
    assert [band["name"] for band in describe_raster(result.paths["members"])["bands"]] == ["first", "second"]
    assert np.isnan(about["nodata"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["blocks", "fused.tif", "members.tif", "uncertainty.tif"]


def test_integer_map_rounds_to_its_scale(world, run_map, tmp_path):
    """int16 keeps values to half a step and nodata outside; a scale too small is refused and costs no block."""
    exact = run_map(world, tmp_path / "exact")
    coarse = run_map(world, tmp_path / "coarse", dtype="int16", scale=0.001)
    with rasterio.open(exact.paths["fused"]) as first, rasterio.open(coarse.paths["fused"]) as second:
        stored = second.read(1, masked=True)
        assert (second.dtypes[0], second.nodata, second.scales[0]) == ("int16", -32768, 0.001)
        expected = np.ma.masked_invalid(first.read(1))
        np.testing.assert_array_equal(stored.mask, expected.mask)
        assert np.abs(stored * 0.001 - expected).max() <= 0.0005 + 1e-6
    with pytest.raises(DomainError, match="a scale of at least"):
        run_map(world, tmp_path / "coarse", dtype="int16", scale=1e-6)
    assert run_map(world, tmp_path / "coarse", dtype="int16", scale=0.001).reused_blocks == coarse.blocks


@pytest.mark.parametrize(
    ("labels", "codes", "nodata"), [((1, 2, 3), (1, 2, 3), 0), ((0, 1, 2), (0, 1, 2), 255), (("f", "t", "u"), (1, 2, 3), 0)]
)
def test_class_map(world, run_map, tmp_path, labels, codes, nodata):
    """Class codes are bytes that never meet nodata; probabilities and margin lie beside them."""
    members = (Classes("a"), Classes("b"))
    sites = np.random.default_rng(1).normal(size=(90, 3)).astype(np.float32)
    probabilities = np.stack([member.predict(sites).T for member in members])
    fusion = fit_class_fusion(probabilities, probabilities.mean(axis=0).argmax(axis=0), learners=("a", "b"), method="equal")
    result = run_map(world, tmp_path, members=members, fusion=fusion, classes=labels)
    valid = world.mask & np.isfinite(world.values).all(axis=0)
    with rasterio.open(result.paths["fused"]) as fused, rasterio.open(result.paths["probability"]) as probability:
        assert (fused.dtypes[0], fused.nodata) == ("uint8", nodata)
        values = fused.read(1)
        assert (values[~valid] == nodata).all()
        np.testing.assert_array_equal(values[valid], np.array(codes)[probability.read()[:, valid].argmax(axis=0)])
        assert probability.descriptions == tuple(map(str, labels))
    assert result.classes == {str(code): str(label) for code, label in zip(codes, labels, strict=True)}
    assert describe_raster(result.paths["members"])["bands"][0]["name"] == f"a: {labels[0]}"
    assert describe_raster(result.paths["uncertainty"])["bands"][0]["name"] == "margin"
    assert all(cog_validate(path, strict=True)[0] for path in result.paths.values())


def test_grid_without_crs(run_map, tmp_path):
    """A grid that knows no CRS is mapped like any other."""
    world = World(crs=None)
    result = run_map(world, tmp_path, applicability=None)
    about = describe_raster(result.paths["fused"])
    assert about["crs"] is None
    assert about["transform"] == list(world.grid.transform)
    with rasterio.open(result.paths["uncertainty"]) as uncertainty:
        assert np.isnan(uncertainty.read([3, 4, 5])).all()


def test_members_in_another_order_are_refused(world, run_map, tmp_path):
    """Weights belong to names: the members must come in the order of the fusion."""
    with pytest.raises(LearnerError, match="second, first"):
        run_map(world, tmp_path, members=world.members[::-1])


def test_progress_counts_blocks_and_rasters(world, run_map, tmp_path):
    """Progress ends at its total, which does not change on the way."""
    seen = []
    result = run_map(world, tmp_path, progress=lambda done, total, message: seen.append((done, total)))
    assert [done for done, _ in seen] == list(range(1, result.blocks + 4))
    assert {total for _, total in seen} == {result.blocks + 3}
