"""The daily variables on disk."""

from __future__ import annotations

import json
from datetime import date

import numpy as np
import pytest

from alm_core.cubes.store import CubeStore, Variable
from alm_core.errors import GridError, MissingFileError, StudyError
from alm_core.grid import Grid

GRID = Grid.from_bounds((80, 30, 84, 32), 1, crs="EPSG:4326")
CELLS = np.array([1, 2, 7])
TB = Variable("tb36v", "K", "brightness_temperature", 36.5, "V", "descending")
VALUES = np.arange(12, dtype=np.float32).reshape(4, 3)


def make(folder, **changes):
    """A store of four days and three cells."""
    given = {"grid": GRID, "first": date(2012, 2, 28), "days": 4, "cells": CELLS, "variables": (TB,), "arrays": {"tb36v": VALUES}}
    return CubeStore.create(folder, **{**given, **changes})


def test_what_goes_in_comes_out(tmp_path):
    """Values, places, days and facts."""
    make(tmp_path, facts={"tb36v": {"files": 4}})
    store = CubeStore.open(tmp_path)
    assert (store.grid, store.variables, store.facts) == (GRID, (TB,), {"tb36v": {"files": 4}})
    assert store.dates.astype(str).tolist() == ["2012-02-28", "2012-02-29", "2012-03-01", "2012-03-02"]
    assert np.array_equal(store.read("tb36v"), VALUES)
    assert np.array_equal(store.read("tb36v", 1, 3), VALUES[1:3])
    assert store.read("tb36v", 2, 2).shape == (0, 3)
    assert (store.x.tolist(), store.y.tolist()) == ([81.5, 82.5, 83.5], [31.5, 31.5, 30.5])


def test_a_copy_is_ones_own(tmp_path):
    """Changing what was read leaves the store alone."""
    store = make(tmp_path)
    store.read("tb36v")[:] = 0
    assert np.array_equal(store.read("tb36v"), VALUES)


def test_rasters_of_any_number_of_axes(tmp_path):
    """Cells go to their places, the rest is the fill."""
    store = make(tmp_path)
    raster = store.raster(np.array([[[1, 2, 3]]], np.uint8), fill=255)
    assert raster.tolist() == [[[[255, 1, 2, 255], [255, 255, 255, 3]]]]
    with pytest.raises(GridError, match="the last axis must be the 3 mapped cells"):
        store.raster(np.zeros(4))


@pytest.mark.parametrize(("start", "stop"), [(-1, 2), (3, 2), (0, 5)])
def test_days_outside(tmp_path, start, stop):
    """No day is made up."""
    with pytest.raises(GridError, match="the store has days 0 to 4"):
        make(tmp_path).read("tb36v", start, stop)


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"cells": np.array([2, 1])}, GridError, "not rising"),
        ({"cells": np.array([1, 8])}, GridError, "grid of 8 cells"),
        ({"cells": np.array([], int)}, GridError, "at least one mapped cell"),
        ({"days": 0}, GridError, "at least one"),
        ({"variables": (TB, TB)}, StudyError, "share the name tb36v"),
        ({"variables": (Variable("../tb"),)}, StudyError, "letters, digits"),
        ({"variables": (Variable("air"),)}, MissingFileError, "variable air: tb36v came"),
        ({"arrays": {"tb36v": VALUES[:3]}}, GridError, r"\(4, 3\) is expected"),
        ({"arrays": None}, MissingFileError, "tb36v.npy"),
    ],
)
def test_what_can_not_be_made(tmp_path, changes, error, text):
    """Each with what came and what was expected."""
    with pytest.raises(error, match=text):
        make(tmp_path, **changes)


def test_an_unknown_variable(tmp_path):
    """The text names those that are there."""
    with pytest.raises(StudyError, match=r"'tb'. There are: tb36v"):
        make(tmp_path).read("tb")


def test_damage_is_told(tmp_path):
    """A file that is gone, cut short or of another run."""
    make(tmp_path)
    np.save(tmp_path / "tb36v.npy", VALUES[:2])
    with pytest.raises(GridError, match=r"has the shape \(2, 3\)"):
        CubeStore.open(tmp_path)
    whole = (tmp_path / "_cells.npy").read_bytes()
    (tmp_path / "tb36v.npy").write_bytes(whole[:40])
    with pytest.raises(GridError, match=r"tb36v.npy is damaged"):
        CubeStore.open(tmp_path)
    (tmp_path / "tb36v.npy").unlink()
    with pytest.raises(MissingFileError, match=r"lacks its file tb36v.npy"):
        CubeStore.open(tmp_path)


@pytest.mark.parametrize(
    ("change", "text"),
    [({"version": 0}, "version 0, 1 is expected"), ({"cells": 4}, "3 cells, 4 are expected"), ({"first": None}, "damaged")],
)
def test_a_head_that_does_not_fit(tmp_path, change, text):
    """cubes.json of another version, of other cells, without a day."""
    make(tmp_path)
    head = json.loads((tmp_path / "cubes.json").read_text())
    (tmp_path / "cubes.json").write_text(json.dumps(head | change))
    with pytest.raises(GridError, match=text):
        CubeStore.open(tmp_path)


def test_never_finished(tmp_path):
    """Without cubes.json there is no store."""
    with pytest.raises(MissingFileError, match="holds no finished cubes"):
        CubeStore.open(tmp_path)


def test_no_variable_at_all(tmp_path):
    """A study may learn from layers and the season alone."""
    make(tmp_path, variables=(), arrays=None)
    assert CubeStore.open(tmp_path).names == ()
