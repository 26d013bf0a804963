"""Staged files that were changed afterwards: every kind of change is found, named, and nothing is hashed in vain."""

from __future__ import annotations

import json
import os
import re
import shutil

import numpy as np
import pytest
import rasterio

from alm_core.covariates.stack import Stack
from alm_core.covariates.staged_facts import StagedFile, changed_content
from alm_core.errors import AlmError, CrsError, GridError, NodataError, RasterError, WorkspaceError
from alm_core.grid import Grid
from alm_core.workspace import hash_file
from tests.rasters import write_raster

SMALLER = Grid.from_bounds((90.0, 32.0, 93.95, 35.0), 0.05, crs="EPSG:4326")
ELSEWHERE = Grid.from_bounds((90.05, 32.0, 94.05, 35.0), 0.05, crs="EPSG:4326")


@pytest.fixture
def stack(make_stack, relief):
    """A stack of two layers."""
    relief[:3, :4] = np.nan
    return make_stack({"a": relief, "b": relief * 2}, block_size=16)


def rewrite(stack, name, array, grid, **options):
    """Put another raster in the place of a staged one."""
    options = {"nodata": np.nan, "dtype": "float32"} | options
    write_raster(stack.file(name), array, grid, **options)


def refusal(stack, name="a"):
    """What `check` says; the same must come from a reader, apart from what only the content shows."""
    with pytest.raises(AlmError) as caught:
        stack.check()
    return caught.value


CHANGES = {
    "fewer columns": ({"grid": SMALLER, "crop": 79}, GridError, r"grid is 60 x 79 cells.*60 x 80 cells.* was expected"),
    "moved": ({"grid": ELSEWHERE}, GridError, r"grid is .*90\.05.*90\.0"),
    "other CRS": ({"crs": "EPSG:4490"}, CrsError, r"CRS is EPSG:4490, EPSG:4326 was expected"),
    "no CRS": ({"crs": None}, CrsError, r"CRS is no CRS"),
    "integers": ({"dtype": "int16", "nodata": -9999}, RasterError, r"data type is int16, float32 was expected"),
    "other nodata": ({"nodata": -9999.0}, NodataError, r"nodata is -9999\.0, nan was expected"),
    "no nodata": ({"nodata": None}, NodataError, r"nodata is None"),
    "two bands": ({"bands": 2}, RasterError, r"number of bands is 2, 1 was expected"),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_changed_header_is_named(stack, grid, relief, case):
    """Layer, what came, what was expected and what to do; by `check` and by a reader before its first number."""
    options, kind, words = CHANGES[case]
    options = dict(options)
    where = options.pop("grid", grid)
    array = np.nan_to_num(relief)[:, : options.pop("crop", None)]
    array = np.stack([array] * options.pop("bands", 1))
    rewrite(stack, "a", array, where, **options)
    fault = refusal(stack)
    assert type(fault) is kind
    assert re.search(words, str(fault)), str(fault)
    assert "staged layer a was changed" in str(fault)
    assert "run the study again" in str(fault)
    with stack.reader(["a"]) as reader, pytest.raises(kind, match="staged layer a was changed"):
        reader.read(next(grid.blocks(16)))


def test_every_changed_layer_is_named_at_once(stack, grid, relief):
    """Two layers and the mask in one error; a layer that is not read is let be."""
    rewrite(stack, "a", relief, grid, nodata=-1.0)
    rewrite(stack, "mask", np.ones(grid.shape), grid, dtype="uint8", nodata=0)
    text = str(refusal(stack))
    assert "2 faults" in text
    assert "The mask was changed" in text
    with pytest.raises(NodataError, match="The mask"):
        stack.check(["b"])


def test_scale_and_offset_belong_to_the_facts(stack):
    """Numbers that mean something else are no numbers of the training."""
    with rasterio.open(stack.file("a"), "r+") as dataset:
        dataset.scales = (0.1,)
    assert "scale is 0.1, 1.0 was expected" in str(refusal(stack))


def flip(path, *, keep_time):
    """Change a byte in the last tile of a file; its size stays."""
    status = path.stat()
    content = bytearray(path.read_bytes())
    content[-20] ^= 0xFF
    path.write_bytes(bytes(content))
    if keep_time:
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_another_content_of_the_same_size_is_found(stack):
    """Header and size say nothing; the hash does."""
    flip(stack.file("a"), keep_time=False)
    assert isinstance(refusal(stack), RasterError)
    assert re.search(r"content is SHA-256 \w{12}\.\.\., \w{12}\.\.\. was expected", str(refusal(stack)))


def test_only_touched_files_are_hashed(stack):
    """A stack as it was staged is never read; a copied one is read, and passes."""

    def digest(path):
        hashed.append(path.name)
        return hash_file(path)

    hashed = []
    stack.check(digest=digest)
    assert hashed == []
    os.utime(stack.file("b"), ns=(0, 0))
    stack.check(digest=digest)
    assert hashed == ["b.tif"]
    flip(stack.file("a"), keep_time=True)
    stack.check(digest=digest)  # who sets the clock back is believed: that is no accident
    assert hashed == ["b.tif", "b.tif"]


def test_a_copied_stack_is_the_same_stack(stack, tmp_path):
    """Files copied without their times are hashed and found to be what was staged."""
    shutil.copytree(stack.folder, tmp_path / "copy", copy_function=shutil.copy)
    copy = Stack.open(tmp_path / "copy")
    copy.check()
    assert copy.files == stack.files


def test_a_cut_file_is_refused_when_the_stack_is_opened(stack):
    """The size is looked at each time: it costs nothing."""
    content = stack.file("b").read_bytes()
    stack.file("b").write_bytes(content[: len(content) // 2])
    with pytest.raises(WorkspaceError, match=r"staged file\(s\) of b .* another size"):
        Stack.open(stack.folder)
    assert isinstance(refusal(stack), RasterError)


def test_a_missing_file_is_named_by_the_check(stack):
    """Also where it went after the stack was opened."""
    stack.file("a").unlink()
    assert "staged layer a can't be read any more" in str(refusal(stack))


def test_stacks_of_an_older_program_are_refused(stack):
    """Without facts of its files nothing could be compared; half of them is damage."""
    file = stack.folder / "stack.json"
    values = json.loads(file.read_text())
    for spoilt, words in (
        ({key: value for key, value in values.items() if key != "files"} | {"version": 1}, "version 1, 2 is expected"),
        ({key: value for key, value in values.items() if key != "files"}, "damaged .*files"),
        (values | {"files": {"a": {"size": 3}}}, "damaged"),
    ):
        file.write_text(json.dumps(spoilt))
        with pytest.raises(WorkspaceError, match=words):
            Stack.open(stack.folder)


def test_facts_survive_json(stack):
    """And two files that differ in their time alone are equal."""
    facts = stack.files["a"]
    assert StagedFile.from_dict(json.loads(json.dumps(facts.to_dict()))) == facts
    assert StagedFile.from_dict(facts.to_dict() | {"modified_ns": 1}) == facts
    assert changed_content(stack.file("a"), "a", facts) is None


def test_unusual_systems_come_back_as_they_were(make_stack, relief):
    """A CRS without a code, cells of thirds and a grid without CRS are no changes."""
    for number, crs in enumerate(("+proj=aea +lat_1=25 +lat_2=47 +lon_0=105 +datum=WGS84", None)):
        grid = Grid.from_bounds((0, 0, 80 / 3, 20), 1 / 3, crs=crs)
        stack = make_stack({"a": relief}, on=grid, folder=f"odd{number}", block_size=16)
        stack.check()
        with Stack.open(stack.folder).reader() as reader:
            assert reader.read(next(grid.blocks(100))).shape == (1, 60, 80)
