"""How two maps of one grid agree, gathered block by block."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from alm_core.errors import DomainError
from alm_core.learning.class_metrics import confusion_scores


class PairSums:
    """Sums over pairs of cells, weighted by area in km2; about the first value seen, so that rounding stays small.

    Parameters
    ----------
    codes : tuple of int or None
        Of classes: every number that either map may hold, in order.
    """

    def __init__(self, codes: tuple[int, ...] | None) -> None:
        self.codes = codes
        self.cells, self.area, self.only_map = 0, 0.0, 0.0
        self.origin: float | None = None
        self.moments = np.zeros(5)
        self.matrix = np.zeros((len(codes), len(codes))) if codes is not None else np.zeros((0, 0))

    def add(self, value: np.ndarray, other: np.ndarray, area: np.ndarray) -> None:
        """Add a block."""
        both = np.isfinite(value) & np.isfinite(other)
        self.only_map += float(area[np.isfinite(value) & ~both].sum())
        if not both.any():
            return
        x, y, w = value[both].astype(float), other[both], area[both]
        self.cells += int(both.sum())
        self.area += float(w.sum())
        if self.codes is not None:
            place = {code: number for number, code in enumerate(self.codes)}
            unknown = sorted({int(code) for code in np.unique(np.concatenate([x, y]))} - set(place))
            if unknown:
                raise DomainError(f"The classes {unknown[:5]} have no label: give the labels of the published map.")
            codes = np.array(self.codes)
            flat = np.searchsorted(codes, x) * len(codes) + np.searchsorted(codes, y)
            self.matrix += np.bincount(flat, w, len(codes) ** 2).reshape(len(codes), len(codes))
            return
        if self.origin is None:
            self.origin = float(x[0])
        x, y = x - self.origin, y - self.origin
        self.moments += [w @ x, w @ y, w @ (x * x), w @ (y * y), w @ (x * y)]

    def scores(self) -> dict[str, float | None]:
        """Scores of continuous values."""
        x, y, xx, yy, xy = self.moments / self.area
        var_x, var_y = max(xx - x * x, 0.0), max(yy - y * y, 0.0)
        spread = math.sqrt(var_x * var_y)
        tiny = 1e-12 * max(xx, yy, 1e-300)
        correlation = (xy - x * y) / spread if min(var_x, var_y) > tiny else None
        origin = self.origin or 0.0
        return {
            "mean": float(x + origin),
            "reference_mean": float(y + origin),
            "mean_difference": float(x - y),
            "sd": math.sqrt(var_x),
            "reference_sd": math.sqrt(var_y),
            "rmse": math.sqrt(max(xx - 2 * xy + yy, 0.0)),
            "correlation": None if correlation is None else float(np.clip(correlation, -1.0, 1.0)),
        }

    def class_scores(self, names: list[str]) -> dict[str, Any]:
        """Scores of classes."""
        return confusion_scores(self.matrix, names)
