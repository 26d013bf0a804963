"""Fusion of the cells of a block in one compiled pass, without arrays in between.

`alm_core.learning.fusion.Fusion.predict` is the definition; every sum here runs in its order, so that the bits are the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from alm_core.learning.interpolation import search_bins, slopes_of
from alm_core.learning.table_kernels import CHUNK, find_knots, read_line
from alm_core.learning.weighting import STEPS
from alm_core.trees.compiled import compiled

if TYPE_CHECKING:
    from alm_core.learning.bias import BiasCorrection
    from alm_core.learning.uncertainty import IntervalModel
    from alm_core.learning.weighting import Weighting


@dataclass(frozen=True)
class Table:
    """Columns over shared knots, laid out for the kernel.

    Attributes
    ----------
    x : ndarray
        Knots ``[knot]``, rising.
    lines : ndarray
        ``[column, knot, 2]``: value at the knot and slope after it.
    starts, per_unit : ndarray of int, float
        Of `alm_core.learning.interpolation.search_bins`.
    """

    x: np.ndarray
    lines: np.ndarray
    starts: np.ndarray
    per_unit: float

    @classmethod
    def of(cls, x: np.ndarray, columns: np.ndarray) -> Table:
        """From ``columns[column, knot]``; the knots must be searchable."""
        columns = np.asarray(columns, dtype=float)
        lines = np.stack([columns, slopes_of(x, columns)], axis=-1)
        # A copy, because arrays that came from another process may be read-only, and kernels would be compiled anew for those.
        return cls(np.array(x, dtype=float), lines, *search_bins(x))

    @property
    def parts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
        """What the kernel takes."""
        return self.x, self.lines, self.starts, self.per_unit


def mix_block(weighting: Weighting, members: np.ndarray, *, with_spread: bool) -> tuple[np.ndarray, np.ndarray]:
    """Value before correction and spread, ``[cell]``, of ``members[learner, cell]``; an empty spread where it isn't wanted."""
    value = np.empty(members.shape[1])
    spread = np.empty(members.shape[1] if with_spread else 0)
    table = Table.of(weighting.grid, np.concatenate([weighting.biases, weighting.weights]))
    rounds = 1 if weighting.is_constant else STEPS
    mix_cells(np.ascontiguousarray(members), *table.parts, rounds, value, spread)
    return value, spread


def correct_block(correction: BiasCorrection, value: np.ndarray) -> None:
    """Apply a correction in place."""
    curve = correction.curve
    if curve is not None:
        correct_cells(value, *Table.of(curve.x, curve.y[None]).parts, float(curve.left_slope), float(curve.right_slope))


def cut_block(value: np.ndarray, minimum: float | None, maximum: float | None) -> int:
    """Cut to the physical range in place; how many numbers were changed (NaN never counts)."""
    return int(cut_cells(value, *_limits(minimum, maximum)))


def bound_block(
    interval: IntervalModel, value: np.ndarray, spread: np.ndarray, *, minimum: float | None, maximum: float | None
) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper bound ``[cell]``; the spread may be empty where the interval does not follow it."""
    scale = interval.scale
    lower, upper = np.empty(value.size), np.empty(value.size)
    table = Table.of(scale.grid, scale.factor[None])
    floors = (float(scale.floor), float(scale.floor**2))
    multiples = tuple(float(multiple) for multiple in interval.common_multiples)
    parts = table.parts
    bound_cells(value, spread, *parts, floors, float(scale.slope), multiples, *_limits(minimum, maximum), lower, upper)
    return lower, upper


def _limits(minimum: float | None, maximum: float | None) -> tuple[float, float]:
    return -np.inf if minimum is None else float(minimum), np.inf if maximum is None else float(maximum)


@compiled
def mix_cells(members, x, lines, starts, per_unit, rounds, value, spread):
    """Fused value of each cell before correction, and the spread of the unbiased members around it.

    Parameters
    ----------
    members : ndarray
        ``[learner, cell]``, float32 or float64.
    x, lines, starts, per_unit
        A `Table` of the biases of all learners, then the weights of all learners.
    rounds : int
        How often the weights are read at the fused value.
    value, spread : ndarray
        Filled ``[cell]``, float64; NaN where a member is not finite. An empty `spread` is left out.
    """
    n_learners, n = members.shape
    unbiased, weights = np.empty((n_learners, CHUNK)), np.empty((n_learners, CHUNK))
    knots, steps = np.empty(CHUNK, np.int64), np.empty(CHUNK)
    for start in range(0, n, CHUNK):
        stop = min(start + CHUNK, n)
        part = members[:, start:stop]
        fused = value[start:stop]
        m = stop - start
        fused[:] = 0.0
        for learner in range(n_learners):
            own = unbiased[learner, :m]
            for j in range(m):
                own[j] = part[learner, j]
            find_knots(own, x, starts, per_unit, knots, steps)
            bias = lines[learner]
            for j in range(m):
                own[j] -= read_line(bias[knots[j], 0], bias[knots[j], 1], steps[j])
            for j in range(m):
                fused[j] += own[j]
        for j in range(m):
            fused[j] /= n_learners
        for _ in range(rounds):
            find_knots(fused, x, starts, per_unit, knots, steps)
            fused[:] = 0.0
            for learner in range(n_learners):
                _add_weighted(unbiased[learner], lines[n_learners + learner], knots, steps, weights[learner], fused)
        if spread.size:
            _fill_spread(unbiased, weights, fused, spread[start:stop])
        _unset_missing(part, fused, spread[start:stop])


@compiled
def _add_weighted(unbiased, line, knots, steps, weights, fused):
    """Read one learner's weights and add its share."""
    for j in range(fused.size):
        weights[j] = read_line(line[knots[j], 0], line[knots[j], 1], steps[j])
    for j in range(fused.size):
        fused[j] += weights[j] * unbiased[j]


@compiled
def _fill_spread(unbiased, weights, fused, spread):
    """Weighted standard deviation around the fused value."""
    spread[:] = 0.0
    for learner in range(len(unbiased)):
        own, weight = unbiased[learner], weights[learner]
        for j in range(fused.size):
            spread[j] += weight[j] * (own[j] - fused[j]) ** 2
    for j in range(fused.size):
        spread[j] = np.sqrt(spread[j])


@compiled
def _unset_missing(members, fused, spread):
    """NaN where the members' sum, in their own type as in the definition, is not finite: a table would hold it at its end."""
    for j in range(fused.size):
        total = members[0, j]
        for learner in range(1, len(members)):
            total += members[learner, j]
        if not np.isfinite(total):
            fused[j] = np.nan
            if spread.size:
                spread[j] = np.nan


@compiled
def correct_cells(value, x, lines, starts, per_unit, left_slope, right_slope):
    """Apply the correction's curve in place; NaN stays NaN."""
    first, end = x[0], x[-1]
    knots, steps = np.empty(CHUNK, np.int64), np.empty(CHUNK)
    for start in range(0, value.size, CHUNK):
        part = value[start : start + CHUNK]
        find_knots(part, x, starts, per_unit, knots, steps)
        for j in range(part.size):
            v = part[j]
            if np.isnan(v):
                continue
            corrected = read_line(lines[0, knots[j], 0], lines[0, knots[j], 1], steps[j])
            # A slope of 0 holds the end: times an infinite value it would give NaN.
            if left_slope != 0.0:
                corrected += left_slope * min(v - first, 0.0)
            if right_slope != 0.0:
                corrected += right_slope * max(v - end, 0.0)
            part[j] = corrected


@compiled
def within(value, minimum, maximum):
    """Cut one number to a range; NaN stays NaN."""
    if value < minimum:
        return minimum
    return maximum if value > maximum else value


@compiled
def cut_cells(value, minimum, maximum):
    """Cut to a range in place; returns how many numbers were changed."""
    changed = 0
    for cell in range(value.size):
        cut = within(value[cell], minimum, maximum)
        changed += cut != value[cell] and not np.isnan(value[cell])
        value[cell] = cut
    return changed


@compiled
def bound_cells(value, spread, x, lines, starts, per_unit, floors, slope, multiples, minimum, maximum, lower, upper):
    """Bounds of the interval, cut to the range.

    Parameters
    ----------
    value, spread : ndarray
        ``[cell]``; an empty spread where the interval does not follow it.
    x, lines, starts, per_unit
        A `Table` of the factor over the value.
    floors : tuple of float
        Size of the error where the members agree, and its square.
    slope : float
        How much of the spread counts.
    multiples : tuple of float
        Below and above.
    minimum, maximum : float
        Physical range.
    lower, upper : ndarray
        Filled ``[cell]``.
    """
    floor, square_floor = floors
    low, high = multiples
    knots, steps = np.empty(CHUNK, np.int64), np.empty(CHUNK)
    for start in range(0, value.size, CHUNK):
        part = value[start : start + CHUNK]
        find_knots(part, x, starts, per_unit, knots, steps)
        for j in range(part.size):
            size = read_line(lines[0, knots[j], 0], lines[0, knots[j], 1], steps[j])
            size *= np.sqrt(square_floor + (slope * spread[start + j]) ** 2) if spread.size else floor
            lower[start + j] = within(part[j] - low * size, minimum, maximum)
            upper[start + j] = within(part[j] + high * size, minimum, maximum)
