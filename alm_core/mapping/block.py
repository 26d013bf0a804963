"""Predict one block of the map: the function that every engine runs.

It knows nothing of files, threads or the order of blocks: arrays in, arrays out. What it gives for a cell depends on that
cell alone, so a map is the same however it is cut into blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Protocol

import numpy as np

from alm_core.errors import DomainError, GridError, LearnerError


class Predictor(Protocol):
    """A fitted member: a learner or a compiled ensemble."""

    name: str

    def predict_block(self, values: np.ndarray, valid: np.ndarray) -> np.ndarray:
        """``[covariate, row, column]`` float32 to the valid cells in row-major order: ``[n]``, or ``[n, class]``."""


@dataclass(frozen=True)
class MapCounts:
    """What became of the cells: ``cells = mapped + masked + missing + unpredicted``.

    Attributes
    ----------
    cells : int
        All cells of the grid.
    mapped : int
        Cells with a value.
    masked : int
        Cells outside the mask: not to be mapped.
    missing : int
        Cells inside the mask that were not predicted for want of covariates: at least one, or all of them where missing
        values are routed; and cells with an infinite covariate, always.
    unpredicted : int
        Cells that were predicted, but for which the fusion gave no finite value.
    outside : int
        Mapped cells outside the area of applicability; routed ones among them.
    clipped : int
        Mapped cells whose value was cut to the physical range.
    routed : int
        Mapped cells that lack some covariates; the members sent the missing values the way of their libraries.
    """

    cells: int = 0
    mapped: int = 0
    masked: int = 0
    missing: int = 0
    unpredicted: int = 0
    outside: int = 0
    clipped: int = 0
    routed: int = 0

    def __add__(self, other: MapCounts) -> MapCounts:
        return MapCounts(**{part.name: getattr(self, part.name) + getattr(other, part.name) for part in fields(self)})

    def to_dict(self) -> dict[str, int]:
        """Plain values, for run.json and the card."""
        return asdict(self)


@dataclass(frozen=True)
class BlockPrediction:
    """Predictions of one block; NaN wherever nothing was predicted.

    Attributes
    ----------
    members : ndarray
        float32 ``[learner, row, column]``, or ``[learner, class, row, column]`` probabilities.
    value : ndarray
        float32 ``[row, column]``: the fused value, or the code of the class.
    lower, upper : ndarray
        Bounds of the prediction interval; all NaN where the fusion has no interval and for classes.
    dissimilarity, density : ndarray
        Dissimilarity index and local point density; all NaN without applicability, and NaN in routed cells: a place of which
        a covariate is not known has no distance to the sites.
    inside : ndarray
        1 inside the area of applicability, 0 outside; routed cells are never inside.
    counts : MapCounts
    probability : ndarray or None
        Classes only: fused probabilities ``[class, row, column]``.
    margin : ndarray or None
        Classes only: lead of the first class over the second.
    """

    members: np.ndarray
    value: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    dissimilarity: np.ndarray
    density: np.ndarray
    inside: np.ndarray
    counts: MapCounts
    probability: np.ndarray | None = None
    margin: np.ndarray | None = None

    def to_dict(self) -> dict[str, Any]:
        """Shape and counts; arrays go to rasters, not to JSON."""
        return {"shape": list(self.value.shape), "learners": len(self.members), "counts": self.counts.to_dict()}


def predict_block(
    values: np.ndarray,
    mask: np.ndarray,
    predictors: Sequence[Predictor],
    fusion: Any,
    applicability: Any | None = None,
    *,
    residual: Any | None = None,
    x: np.ndarray | None = None,
    y: np.ndarray | None = None,
    class_codes: Sequence[int] | None = None,
    missing: str = "leave_out",
) -> BlockPrediction:
    """Predict the cells of a block that are inside the mask and have every covariate, or with `missing` some of them.

    Parameters
    ----------
    values : ndarray
        Covariates, float32 ``[covariate, row, column]``, in the order in which the members were trained; NaN: missing.
    mask : ndarray
        bool ``[row, column]``, True where the map is wanted.
    predictors : sequence of Predictor
        In the order of `fusion.learners`.
    fusion : Fusion or ClassFusion
    applicability : Applicability, optional
    residual : optional
        What is added to the fused value: a function of ``(x, y)`` such as kriging, or an object with
        ``predict(features, value, x, y)``.
    x, y : ndarray, optional
        Cell centres ``[column]`` and ``[row]`` in the CRS of the grid; only `residual` needs them.
    class_codes : sequence of int, optional
        Given for a classification: the code that is written for each class.
    missing : {"leave_out", "route"}
        What becomes of a cell that lacks some covariates: nothing, or NaN goes to the members, which send it the way of their
        libraries (ask `alm_core.learning.missing` first whether they can). A cell without any covariate is never predicted,
        nor is one with an infinite covariate: that is no gap but a fault.

    Returns
    -------
    BlockPrediction

    Raises
    ------
    LearnerError
        A member gives another shape than was expected.
    GridError
        `values` and `mask` have different shapes.

    Examples
    --------
    >>> class Double:
    ...     name = "double"
    ...     def predict_block(self, values, valid):
    ...         return 2.0 * values[0, valid]
    >>> class First:
    ...     def predict(self, members, *, residual=None):
    ...         from types import SimpleNamespace
    ...         return SimpleNamespace(value=members[0], lower=None, upper=None)
    >>> block = predict_block(np.array([[[1, np.nan, 3]]], np.float32), np.array([[True, True, False]]), [Double()], First())
    >>> block.value.tolist(), block.counts.missing, block.counts.masked
    ([[2.0, nan, nan]], 1, 1)
    """
    values, mask = np.asarray(values, np.float32), np.asarray(mask, bool)
    if values.shape[1:] != mask.shape:
        raise GridError(f"Covariates of {values.shape[1:]} cells came with a mask of {mask.shape}. Both must be one block.")
    complete, usable = usable_cells(values, missing)
    valid = mask & usable
    counts = {"cells": mask.size, "masked": int((~mask).sum()), "missing": int((mask & ~usable).sum())}
    classes = 0 if class_codes is None else len(class_codes)
    if not valid.any():
        return empty_prediction(mask.shape, len(predictors), classes, MapCounts(**counts))
    members = np.stack([_member(predictor, values, valid, classes) for predictor in predictors])
    places = _places(valid, x, y) if residual is not None else None
    if class_codes is None:
        found = _regression(members, values, valid, fusion, residual, places)
    else:
        found = _classification(members, fusion, class_codes)
    found |= _trust(values, valid, complete, applicability)
    mapped = np.isfinite(found["value"])
    counts |= {
        "mapped": int(mapped.sum()),
        "unpredicted": int((~mapped).sum()),
        "outside": int((found["inside"][mapped] == 0).sum()),
        "clipped": found.pop("clipped"),
        "routed": int((mapped & ~complete[valid]).sum()),
    }
    arrays = {name: _scatter(array, valid) for name, array in found.items()}
    return BlockPrediction(members=_scatter(members, valid), counts=MapCounts(**counts), **arrays)


def usable_cells(values: np.ndarray, missing: str = "leave_out") -> tuple[np.ndarray, np.ndarray]:
    """Cells with every covariate, and cells that may be predicted, bool ``[row, column]`` each.

    Parameters
    ----------
    values : ndarray
        Covariates ``[covariate, row, column]``.
    missing : {"leave_out", "route"}
        See `predict_block`.

    Examples
    --------
    >>> values = np.array([[[1, np.nan, np.nan, np.inf]], [[1, 1, np.nan, np.nan]]], np.float32)
    >>> [part.tolist() for part in usable_cells(values, "route")]
    [[[True, False, False, False]], [[True, True, False, False]]]
    """
    finite = np.isfinite(values)
    complete = finite.all(axis=0)
    if missing == "leave_out":
        return complete, complete
    if missing != "route":
        raise DomainError(f"Missing covariates are to be {missing!r}: `leave_out` or `route` is expected.")
    return complete, finite.any(axis=0) & ~np.isinf(values).any(axis=0)


def empty_prediction(shape: tuple[int, int], learners: int, classes: int, counts: MapCounts) -> BlockPrediction:
    """A block in which nothing could be predicted; its arrays repeat one NaN, take no memory and can't be written to."""
    missing = np.float32(np.nan)
    nothing = np.broadcast_to(missing, shape)
    members = (learners, classes, *shape) if classes else (learners, *shape)
    return BlockPrediction(
        members=np.broadcast_to(missing, members),
        value=nothing,
        lower=nothing,
        upper=nothing,
        dissimilarity=nothing,
        density=nothing,
        inside=nothing,
        counts=counts,
        probability=np.broadcast_to(missing, (classes, *shape)) if classes else None,
        margin=nothing if classes else None,
    )


def _member(predictor: Predictor, values: np.ndarray, valid: np.ndarray, classes: int) -> np.ndarray:
    """Predictions of one member as ``[n]`` or ``[class, n]`` float64."""
    found = np.asarray(predictor.predict_block(values, valid), float)
    count = int(valid.sum())
    expected = (count, classes) if classes else (count,)
    if found.shape != expected:
        raise LearnerError(
            f"{predictor.name} gave predictions of shape {found.shape} for {count} cells; {expected} was expected. "
            "Check that it was trained for the task of the study."
        )
    return found.T


def _places(valid: np.ndarray, x: np.ndarray | None, y: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    if x is None or y is None:
        raise DomainError("A residual is added to the map, but the places of its cells are missing: pass x and y.")
    rows, columns = np.nonzero(valid)
    return np.asarray(x)[columns], np.asarray(y)[rows]


def _regression(
    members: np.ndarray,
    values: np.ndarray,
    valid: np.ndarray,
    fusion: Any,
    residual: Any | None,
    places: tuple[np.ndarray, np.ndarray] | None,
) -> dict[str, Any]:
    if residual is None or places is None:
        fused = fusion.predict(members)
    else:
        features = np.ascontiguousarray(values[:, valid].T)
        fused = fusion.predict(members, residual=_residual(members, features, fusion, residual, places))
    nothing = np.full(members.shape[-1], np.nan)
    return {
        "value": fused.value,
        "lower": nothing if fused.lower is None else fused.lower,
        "upper": nothing if fused.upper is None else fused.upper,
        "clipped": int(getattr(fused, "clipped", 0)),
    }


def _residual(
    members: np.ndarray, features: np.ndarray, fusion: Any, residual: Any, places: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    if not hasattr(residual, "predict"):
        return np.asarray(residual(*places), float)
    # The residual model was fitted on fused values without any residual in them, so it gets the same here.
    before = fusion.predict(members, residual=np.zeros(len(features))).value
    return np.asarray(residual.predict(features, before, *places), float)


def _classification(members: np.ndarray, fusion: Any, class_codes: Sequence[int]) -> dict[str, Any]:
    fused = fusion.predict(members)
    nothing = np.full(members.shape[-1], np.nan)
    known = np.isfinite(fused.probability).all(axis=0)
    codes = np.asarray(class_codes, float)[np.where(known, fused.label, 0)]
    return {
        "value": np.where(known, codes, np.nan),
        "lower": nothing,
        "upper": nothing,
        "probability": fused.probability,
        "margin": fused.margin,
        "clipped": 0,
    }


def _trust(values: np.ndarray, valid: np.ndarray, complete: np.ndarray, applicability: Any | None) -> dict[str, np.ndarray]:
    count = int(valid.sum())
    if applicability is None:
        nothing = np.full(count, np.nan)
        return {"dissimilarity": nothing, "density": nothing, "inside": nothing}
    found = applicability.predict_block(values, valid & complete)
    known = complete[valid]
    if known.all():
        return {"dissimilarity": found.dissimilarity, "density": found.density, "inside": found.inside}
    # Routed cells: no distance to the sites can be said, so they are outside.
    dissimilarity, density, inside = np.full(count, np.nan), np.full(count, np.nan), np.zeros(count)
    dissimilarity[known], density[known], inside[known] = found.dissimilarity, found.density, found.inside
    return {"dissimilarity": dissimilarity, "density": density, "inside": inside}


def _scatter(array: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Put ``[..., n]`` back into the block as float32, NaN elsewhere."""
    array = np.asarray(array)
    block = np.full((*array.shape[:-1], *valid.shape), np.nan, np.float32)
    block[..., valid] = array
    return block
