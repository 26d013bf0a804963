"""Compiled ensembles on disk: an ``.npz`` file of plain arrays and a JSON header. Nothing in it can run."""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from pathlib import Path

import numpy as np

from alm_core.errors import MissingFileError, ModelFileError
from alm_core.trees.ensemble import LINKS, TASKS, TreeEnsemble

VERSION = 1
FORMAT = "alm_core tree ensemble"
ARRAYS = {
    "feature": np.int32,
    "cut": np.float32,
    "left": np.int32,
    "right": np.int32,
    "value": np.float64,
    "cover": np.float64,
    "missing_left": np.bool_,
    "roots": np.int64,
    "output": np.int64,
    "base": np.float64,
}
TEXTS = ("link", "task", "source", "feature_names", "classes")


def save_ensemble(ensemble: TreeEnsemble, path: Path) -> None:
    """Write `ensemble` to `path`; a file that is already there is replaced in one step."""
    header = {"format": FORMAT, "version": VERSION} | {name: getattr(ensemble, name) for name in TEXTS}
    arrays = {name: getattr(ensemble, name) for name in ARRAYS}
    unfinished = path.with_name(path.name + ".unfinished")
    with unfinished.open("wb") as file:
        np.savez_compressed(file, header=np.array(json.dumps(header)), **arrays)
    os.replace(unfinished, path)


def load_ensemble(path: Path) -> TreeEnsemble:
    """Read and check a file of `save_ensemble`.

    Raises
    ------
    MissingFileError
        If there is no such file.
    ModelFileError
        If it is damaged, of another version, or its nodes don't form trees.
    """
    if not path.is_file():
        raise MissingFileError(f"{path} is not there. Expected a compiled tree ensemble (.npz); run the training stage again.")
    try:
        with np.load(path, allow_pickle=False) as file:
            header = json.loads(str(file["header"]))
            arrays = {name: file[name] for name in ARRAYS}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError) as fault:
        raise ModelFileError(
            f"{path} can't be read as a tree ensemble ({fault}). It is damaged: train the model again."
        ) from fault
    _check_header(header, path)
    _check_arrays(arrays, header, path)
    texts = {name: tuple(header[name]) if isinstance(header[name], list) else header[name] for name in TEXTS}
    return TreeEnsemble(**arrays, **texts)


def _check_header(header: object, path: Path) -> None:
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ModelFileError(f"{path} is not a tree ensemble of this program. Give a file written by TreeEnsemble.save.")
    if header.get("version") != VERSION:
        raise ModelFileError(
            f"{path} has version {header.get('version')!r}, this program reads version {VERSION}. Train the model again."
        )
    wrong = [name for name in TEXTS if name not in header]
    if wrong or header["link"] not in LINKS or header["task"] not in TASKS:
        raise ModelFileError(f"{path} has a damaged header (missing: {', '.join(wrong) or 'nothing'}). Train the model again.")


def _check_arrays(arrays: dict[str, np.ndarray], header: dict, path: Path) -> None:
    """Refuse nodes that would lead a walk outside the arrays or round in a circle."""
    n, n_trees = arrays["feature"].size, arrays["roots"].size
    shapes = dict.fromkeys(("feature", "cut", "left", "right", "cover", "missing_left"), (n,))
    shapes |= {
        "roots": (n_trees,),
        "output": (n_trees,),
        "base": (arrays["base"].size,),
        "value": (n, *arrays["value"].shape[1:2]),
    }
    sound = n > 0 and n_trees > 0 and arrays["value"].ndim == 2
    sound = sound and all(arrays[name].shape == shape for name, shape in shapes.items())
    sound = sound and all(arrays[name].dtype == kind for name, kind in ARRAYS.items())
    if not (sound and _are_trees(arrays, len(header["feature_names"]))):
        raise ModelFileError(f"{path} holds nodes that don't form trees. It is damaged: train the model again.")


def _are_trees(arrays: dict[str, np.ndarray], n_features: int) -> bool:
    """Preorder, every node but the roots the child of exactly one earlier node of its tree, columns inside the table."""
    feature, left, right, roots = (arrays[name] for name in ("feature", "left", "right", "roots"))
    n = feature.size
    if roots[0] != 0 or np.any(np.diff(roots) <= 0) or roots[-1] >= n:
        return False
    end = np.repeat(np.append(roots[1:], n), np.diff(np.append(roots, n)))
    inner = np.flatnonzero(feature >= 0)
    ordered = np.all(left[inner] == inner + 1) and np.all(right[inner] > left[inner]) and np.all(right[inner] < end[inner])
    if not ordered or np.any(feature >= n_features):
        return False
    parents = np.bincount(np.concatenate([left[inner], right[inner], roots]), minlength=n)
    outputs = arrays["output"]
    return bool(
        np.all(parents == 1) and np.all(outputs >= 0) and np.all(outputs + arrays["value"].shape[1] <= arrays["base"].size)
    )
