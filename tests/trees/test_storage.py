"""Compiled ensembles on disk: exact round trip, and damage is noticed."""

from __future__ import annotations

import json

import numpy as np
import pytest

from alm_core.errors import MissingFileError, ModelFileError
from alm_core.trees.convert import compile_ensemble
from alm_core.trees.ensemble import TreeEnsemble
from tests.trees.models import fitted, new_rows


@pytest.fixture
def stored(tmp_path):
    """A stored forest, as a path."""
    path = tmp_path / "forest.npz"
    compile_ensemble(fitted("forest", True)).save(path)
    return path


def rewrite(path, **changes):
    """Change some arrays of a stored ensemble."""
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    np.savez(path, **(arrays | changes))


@pytest.mark.parametrize("name", ["forest", "forest-classes", "xgboost-three", "catboost"])
def test_round_trip(name, tmp_path):
    """The same predictions, names and classes, bit for bit; the file is the same when it is written again."""
    trees = compile_ensemble(fitted(name, True))
    trees.save(tmp_path / "a.npz")
    again = TreeEnsemble.load(tmp_path / "a.npz")
    assert again.to_dict() == trees.to_dict()
    np.testing.assert_array_equal(again.predict(new_rows(True)), trees.predict(new_rows(True)))
    again.save(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "b.npz"]


def test_missing_file(tmp_path):
    """A file that is not there has its own fault."""
    with pytest.raises(MissingFileError, match=r"gone\.npz"):
        TreeEnsemble.load(tmp_path / "gone.npz")


@pytest.mark.parametrize("part", [0, 10, 0.5, 0.98])
def test_truncated(stored, part):
    """A file that was cut anywhere is damaged."""
    content = stored.read_bytes()
    stored.write_bytes(content[: int(part * len(content)) if isinstance(part, float) else part])
    with pytest.raises(ModelFileError, match=r"forest\.npz"):
        TreeEnsemble.load(stored)


def test_flipped_bytes(stored):
    """Bytes changed inside the arrays are noticed by their checksum."""
    content = bytearray(stored.read_bytes())
    content[len(content) // 2] ^= 0xFF
    stored.write_bytes(bytes(content))
    with pytest.raises(ModelFileError):
        TreeEnsemble.load(stored)


def test_pickles_are_never_loaded(stored):
    """An array of Python objects is refused, not unpickled."""
    rewrite(stored, value=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ModelFileError):
        TreeEnsemble.load(stored)


def test_other_files(tmp_path):
    """An .npz of something else, and of a later version."""
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(ModelFileError):
        TreeEnsemble.load(tmp_path / "other.npz")


def test_other_version(stored):
    """A later version is named."""
    with np.load(stored) as file:
        header = json.loads(str(file["header"]))
    rewrite(stored, header=np.array(json.dumps(header | {"version": 99})))
    with pytest.raises(ModelFileError, match="version 99"):
        TreeEnsemble.load(stored)


def damaged(arrays, name, position, value):
    """A copy of one array with one value changed."""
    changed = arrays[name].copy()
    changed[position] = value
    return {name: changed}


@pytest.mark.parametrize(
    ("name", "value"),
    [("right", 10**8), ("right", 0), ("right", 1), ("left", 5), ("feature", 77), ("roots", 10**8), ("output", 3)],
)
def test_nodes_that_are_no_trees(stored, name, value):
    """Indices that would lead a walk outside the arrays or in a circle are refused before any walk."""
    with np.load(stored) as file:
        arrays = {key: file[key] for key in file.files}
    rewrite(stored, **damaged(arrays, name, 0, value))
    with pytest.raises(ModelFileError, match="trees"):
        TreeEnsemble.load(stored)


def test_arrays_of_other_kinds(stored):
    """A wrong number type or length is refused."""
    rewrite(stored, cut=np.zeros(3, np.float32))
    with pytest.raises(ModelFileError):
        TreeEnsemble.load(stored)
    rewrite(stored, cut=np.zeros(3, np.float64))
    with pytest.raises(ModelFileError):
        TreeEnsemble.load(stored)
