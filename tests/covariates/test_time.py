"""Layers that change with time: staged for each slice, read in one, taken at sites in the slice of each row."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from alm_core.covariates.extraction import extract, extract_slices
from alm_core.covariates.samples import Samples, make_samples
from alm_core.covariates.stack import DerivedSource, LayerSource, Stack, stage
from alm_core.errors import RasterError, StudyError, WorkspaceError
from alm_core.grid import Grid
from tests.rasters import read_raster, write_raster

GRID = Grid.from_bounds((90.0, 60.0, 94.0, 62.0), 0.1, crs="EPSG:4326")
TIMES = ("a", "b", "c")


def layer(number: int) -> np.ndarray:
    """A smooth layer, another one for each number."""
    x, y = np.meshgrid(GRID.x, GRID.y)
    return (np.sin(x * (1 + number)) + y + 10 * number).astype(np.float32)


def staged(folder, *, values=None, workers: int = 1, **options) -> Stack:
    """A layer that stays, one that changes, and what is computed from each."""
    folder.mkdir(exist_ok=True)
    values = values or {time: layer(number) for number, time in enumerate(TIMES)}
    slices = {time: (write_raster(folder / f"air_{time}.tif", array, GRID), 1) for time, array in values.items()}
    layers = [
        LayerSource(name="relief", path=write_raster(folder / "relief.tif", layer(7), GRID), group="terrain"),
        LayerSource(name="air", path=slices["a"][0], group="climate", slices=slices),
    ]
    derived = [
        DerivedSource("front", "northness", {"elevation": "air"}),
        DerivedSource("facing", "northness", {"elevation": "relief"}),
        DerivedSource("steep", "slope", {"elevation": "front"}),
    ]
    return stage(layers, derived, GRID, folder / "stack", slices=TIMES, block_size=16, workers=workers, **options)


def test_what_changes_is_staged_for_each_slice_and_the_rest_once(tmp_path):
    """Also what is computed from a layer that changes, and from that again; a view of one slice reads its own files."""
    stack = staged(tmp_path, workers=2)
    assert stack.changing == ("air", "front", "steep")
    files = {path.relative_to(stack.folder).as_posix() for path in stack.folder.rglob("*.tif")}
    once = {"mask.tif", "relief.tif", "facing.tif"}
    assert files == once | {f"slices/{time}/{name}.tif" for time in TIMES for name in stack.changing}
    block = next(iter(GRID.blocks(512)))
    for number, time in enumerate(TIMES):
        part = stack.at(time)
        assert (part.names, part.grid, part.time) == (stack.names, stack.grid, time)
        with part.reader(["air", "relief"]) as reader:
            values = reader.read(block)
        np.testing.assert_array_equal(values[0], layer(number))
        np.testing.assert_array_equal(values[1], layer(7))
        assert part.report["air"]["mean"] == pytest.approx(layer(number).mean(dtype=float), rel=1e-5)
        part.check()


def test_an_opened_stack_shows_the_main_slice(tmp_path):
    """The last one, or the one that was named; whoever asks for no slice reads it."""
    assert Stack.open(staged(tmp_path / "one").folder).time == "c"
    stack = Stack.open(staged(tmp_path / "two", main_slice="a").folder)
    assert stack.file("air") == stack.folder / "slices" / "a" / "air.tif"
    assert stack.file("mask") == stack.folder / "mask.tif"
    np.testing.assert_array_equal(read_raster(stack.file("air")), layer(0))
    assert stack.report["air"]["maximum"] == pytest.approx(float(layer(0).max()))
    with pytest.raises(StudyError, match=r"no slice 'z'\. Their slices are a, b, c"):
        stack.at("z")


def test_workers_change_no_byte(tmp_path):
    """Files and stack.json for one thread and for two."""
    one, two = staged(tmp_path / "one"), staged(tmp_path / "two", workers=2)
    for name in ("slices/b/steep.tif", "slices/c/air.tif", "facing.tif"):
        assert (one.folder / name).read_bytes() == (two.folder / name).read_bytes()


def test_a_changed_or_lost_file_of_any_slice_is_found(tmp_path):
    """Not only those of the slice that is looked at."""
    stack = staged(tmp_path)
    path = stack.folder / "slices" / "a" / "air.tif"
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    with pytest.raises(WorkspaceError, match="slices/a/air"):
        Stack.open(stack.folder)
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    stack.at("b").check()
    with pytest.raises(RasterError, match="air was changed"):
        stack.at("a").check()
    path.unlink()
    with pytest.raises(WorkspaceError, match="slices/a/air"):
        Stack.open(stack.folder)


def test_the_same_numbers_in_two_slices_are_a_climatology(tmp_path):
    """However they are stored: here under another name and in other units."""
    values = {"a": layer(0), "b": layer(1), "c": layer(0)}
    with pytest.raises(RasterError, match="air has the same numbers in every cell of the slices a and c: a climatology"):
        staged(tmp_path, values=values)


def test_faults_name_the_slice(tmp_path):
    """A raster that can't be read, in one slice."""
    values = {time: layer(number) for number, time in enumerate(TIMES)}
    values["b"] = np.full(GRID.shape, np.nan, np.float32)
    with pytest.raises(Exception, match="Covariate air b: "):
        staged(tmp_path, values=values)


def test_a_stack_without_slices_says_nothing_of_them(tmp_path):
    """stack.json as it always was."""
    path = write_raster(tmp_path / "a.tif", layer(0), GRID)
    stack = stage([LayerSource(name="a", path=path)], [], GRID, tmp_path / "stack")
    found = json.loads((stack.folder / "stack.json").read_text())
    assert not {"slices", "changing", "time", "reports"} & set(found)
    assert not (stack.folder / "slices").exists()
    x, y = GRID.x[[3, 4]], GRID.y[[5, 6]]
    pd.testing.assert_frame_equal(extract_slices(stack, x, y, ["", "b"]), extract(stack, x, y))


def test_each_row_gets_the_layers_of_its_slice(tmp_path):
    """At one place in three slices; a row of no slice has only what does not change."""
    stack = staged(tmp_path)
    times = ["b", "a", "", "c", "b"]
    column = np.array([4, 4, 4, 4, 9])
    found = extract_slices(stack, GRID.x[column], GRID.y[[6] * 5], times, method="nearest")
    assert list(found.columns) == list(stack.names)
    wanted = [layer(TIMES.index(time))[6, place] if time else np.nan for time, place in zip(times, column, strict=True)]
    np.testing.assert_array_equal(found["air"], np.array(wanted, np.float32))
    np.testing.assert_array_equal(found["relief"], layer(7)[6, column])


def rows(**columns) -> Samples:
    """Samples of rows at these places."""
    count = len(columns["longitude"])
    frame = pd.DataFrame({"site_id": [f"r{number}" for number in range(count)], "value": np.arange(count, dtype=float)} | columns)
    features = pd.DataFrame({"a": np.zeros(count)})
    return make_samples(frame, features, frame["longitude"].to_numpy(), frame["latitude"].to_numpy())


def test_rows_of_one_site_or_one_place_are_together(tmp_path):
    """By their id, by their place, and by both in a chain."""
    samples = rows(
        longitude=[1.0, 1.0, 2.0, 3.0, 3.0000004, 9.0],
        latitude=[5.0, 5.0, 5.0, 5.0, 5.0, 5.0],
        site=["p", "p", "q", "q", "s", "t"],
        slice=["a", "b", "a", "b", "", "c"],
    )
    groups = samples.site_groups
    assert [groups[other] == groups[0] for other in range(6)] == [True, True, False, False, False, False]
    assert groups[2] == groups[3] == groups[4] != groups[5]
    assert samples.slice.tolist() == ["a", "b", "a", "b", "", "c"]
    assert samples.to_dict()["places"] == 3
    samples.to_parquet(tmp_path / "s.parquet")
    again = Samples.from_parquet(tmp_path / "s.parquet")
    assert again.slice.tolist() == samples.slice.tolist()
    np.testing.assert_array_equal(again.site_groups, groups)


def test_without_repeats_every_row_is_a_site(tmp_path):
    """Also in a table that an earlier version wrote."""
    samples = rows(longitude=[1.0, 2.0, 3.0], latitude=[5.0, 5.0, 5.0])
    assert len(set(samples.site_groups)) == 3
    assert samples.slice.tolist() == ["", "", ""]
    samples.to_parquet(tmp_path / "s.parquet")
    old = pd.read_parquet(tmp_path / "s.parquet").drop(columns=["slice", "site"])
    old.to_parquet(tmp_path / "old.parquet", index=False)
    assert len(set(Samples.from_parquet(tmp_path / "old.parquet").site_groups)) == 3
