"""What is asked of folds, checked before any is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from alm_core.errors import FoldsError


@dataclass(frozen=True)
class FoldRequest:
    """Checked arguments of `make_folds`."""

    x: np.ndarray
    y: np.ndarray
    geographic: bool
    n_folds: int
    groups: np.ndarray | None
    dates: np.ndarray | None
    block_size_metres: float
    block_size_degrees: float | None
    unit_metres: float
    domain: np.ndarray | None
    holdout: tuple[float, float, float]
    strata: np.ndarray | None

    @property
    def count(self) -> int:
        return len(self.x)


def check_request(**given: Any) -> FoldRequest:
    """Check the arguments of `make_folds` at the border."""
    x, y = np.asarray(given["x"], dtype=float), np.asarray(given["y"], dtype=float)
    if x.ndim != 1 or x.shape != y.shape:
        raise FoldsError(f"x of shape {x.shape} and y of shape {y.shape} came: one x and one y a site are expected.")
    missing = int((~np.isfinite(x) | ~np.isfinite(y)).sum())
    if missing:
        raise FoldsError(f"{missing} of {len(x)} sites have no coordinates: take them out before folds are made.")
    if given["geographic"] and len(y) and np.abs(y).max() > 90:
        raise FoldsError(f"A latitude of {y[np.abs(y).argmax()]:g} came: degrees from -90 to 90 are expected (x, y swapped?).")
    if given["n_folds"] < 2 or given["repeats"] < 1:
        raise FoldsError(f"{given['n_folds']} folds and {given['repeats']} repeats came: at least 2 and 1 are expected.")
    if len(x) < given["n_folds"]:
        raise FoldsError(f"{len(x)} sites came and {given['n_folds']} folds are wanted: ask for fewer folds or add sites.")
    if not (given["block_size_km"] > 0 and given["unit_metres"] > 0):
        raise FoldsError(f"A block size of {given['block_size_km']} km came: a positive length is expected.")
    return FoldRequest(
        x=x,
        y=y,
        geographic=given["geographic"],
        n_folds=given["n_folds"],
        groups=one_a_site("groups", given["groups"], len(x)),
        dates=one_a_site("dates", given["dates"], len(x)),
        block_size_metres=given["block_size_km"] * 1000.0,
        block_size_degrees=_checked_degrees(given["block_size_degrees"], given["geographic"]),
        unit_metres=given["unit_metres"],
        domain=_checked_domain(given["domain"]),
        holdout=_checked_parts(given["holdout"]),
        strata=_checked_strata(given["strata"], len(x)),
    )


def _checked_degrees(size: float | None, geographic: bool) -> float | None:
    if size is not None and not (geographic and 0 < size <= 90):
        raise FoldsError(f"A block size of {size} degrees came: 0 to 90 is expected, on a grid of longitude and latitude only.")
    return size


def one_a_site(name: str, values: Sequence[Any] | None, count: int) -> np.ndarray | None:
    """Values as an array, one for each of `count` sites; None where none are given."""
    if values is None:
        return None
    array = np.asarray(values)
    if array.shape != (count,):
        raise FoldsError(f"{name} of shape {array.shape} came with {count} sites: one a site is expected.")
    return array


def _checked_strata(values: Sequence[Any] | None, count: int) -> np.ndarray | None:
    strata = one_a_site("strata", values, count)
    if strata is not None and pd.isna(strata).any():
        raise FoldsError(f"{int(pd.isna(strata).sum())} strata are missing: take these sites out before folds are made.")
    return strata


def _checked_domain(domain: Any) -> np.ndarray | None:
    if domain is None:
        return None
    points = np.asarray(domain, dtype=float)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) == 0 or not np.isfinite(points).all():
        raise FoldsError(f"Domain points of shape {points.shape} came: finite x, y of shape [m, 2] are expected.")
    return points


def _checked_parts(parts: Sequence[float]) -> tuple[float, float, float]:
    if len(parts) != 3 or min(parts) < 0 or not parts[0] > 0 or not parts[2] > 0 or abs(sum(parts) - 1) > 1e-6:
        raise FoldsError(
            f"Hold-out parts {tuple(parts)} came: three parts (training, validation, test) that add up to 1 are expected."
        )
    return float(parts[0]), float(parts[1]), float(parts[2])


def whole_sites(together: np.ndarray | None) -> np.ndarray | None:
    """Sites numbered in the order of their first rows, ``[row]``; None where every row is a site of its own.

    Examples
    --------
    >>> whole_sites(np.array(["b", "a", "b"])).tolist(), whole_sites(np.array([3, 1, 2]))
    ([0, 1, 0], None)
    """
    if together is None:
        return None
    codes = pd.factorize(together)[0]
    return None if len(codes) == 0 or codes.max() + 1 == len(codes) else codes
