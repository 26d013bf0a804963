"""Judge a map against the raster that its sites were drawn from. Only a simulated study has one."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from alm_core.errors import GridError
from alm_core.grid import Grid
from alm_core.mapping.cog import open_raster

BLOCK_CELLS = 1024
LOWER, UPPER, INSIDE = 1, 2, 5
"""Bands of uncertainty.tif."""


@dataclass(frozen=True)
class Judgement:
    """How far a map is from the truth.

    Attributes
    ----------
    cells : int
        Cells that have both a value and a truth.
    inside_share : float
        Part of them inside the area of applicability.
    rmse, rmse_inside, rmse_outside : float
        Against the truth itself; NaN where there is no such cell.
    bias_inside : float
    r2_inside : float
        1 - SSE / SST inside the area of applicability.
    coverage_inside : float
        Part of the cells inside whose interval holds the truth plus label noise, which is what the interval promises.
    coverage_by_truth, coverage_by_value : tuple of float
        The same in the three thirds of the truth, and of the mapped value.
    sd_ratio_inside : float
    """

    cells: int
    inside_share: float
    rmse: float
    rmse_inside: float
    rmse_outside: float
    bias_inside: float
    r2_inside: float
    coverage_inside: float
    coverage_by_truth: tuple[float, ...]
    coverage_by_value: tuple[float, ...]
    sd_ratio_inside: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def judge_map(folder: Path, truth: Path, *, label_noise: np.ndarray, seed: int = 0, sample: int = 2_000_000) -> Judgement:
    """Compare ``fused.tif`` and ``uncertainty.tif`` of a map folder with a truth raster on the same grid.

    Parameters
    ----------
    folder : Path
        The map.
    truth : Path
        GeoTIFF of the true values.
    label_noise : ndarray
        Standard deviations of the sites' labels; one is drawn for every cell.
    seed : int
    sample : int
        Cells are thinned regularly to about this many, so that a large map fits into memory.

    Raises
    ------
    GridError
        The truth is on another grid.
    """
    with (
        open_raster(folder / "fused.tif") as fused,
        open_raster(folder / "uncertainty.tif") as trust,
        open_raster(truth) as known,
    ):
        grid = Grid.from_dataset(fused)
        if Grid.from_dataset(known).shape != grid.shape:
            raise GridError(f"The truth has {known.shape} cells and the map {grid.shape}: it must be on the grid of the study.")
        step = max(1, int(np.sqrt(grid.size / sample)))
        parts = []
        for block in grid.blocks(BLOCK_CELLS):
            layers = [
                _read(fused, 1, block),
                _read(known, 1, block),
                *(_read(trust, band, block) for band in (LOWER, UPPER, INSIDE)),
            ]
            stacked = np.stack(layers)[:, ::step, ::step].reshape(5, -1)
            parts.append(stacked[:, np.isfinite(stacked[:2]).all(axis=0)])
    value, true, lower, upper, inside = np.concatenate(parts, axis=1)
    return _judge(value, true, lower, upper, inside == 1, np.asarray(label_noise, float), seed)


def _read(dataset: Any, band: int, block: Any) -> np.ndarray:
    raw = dataset.read(band, window=block.window, masked=True)
    values = raw.data.astype(float) * dataset.scales[band - 1] + dataset.offsets[band - 1]
    return np.where(np.ma.getmaskarray(raw), np.nan, values)


def _judge(
    value: np.ndarray,
    true: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    inside: np.ndarray,
    label_noise: np.ndarray,
    seed: int,
) -> Judgement:
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=true.size) * rng.choice(label_noise, size=true.size) if label_noise.size else 0.0
    observed = true + noise
    covered = (observed >= lower) & (observed <= upper)
    error = value - true
    within = true[inside]
    return Judgement(
        cells=int(true.size),
        inside_share=float(inside.mean()),
        rmse=_rms(error),
        rmse_inside=_rms(error[inside]),
        rmse_outside=_rms(error[~inside]),
        bias_inside=float(error[inside].mean()),
        r2_inside=float(1 - np.mean(error[inside] ** 2) / within.var()),
        coverage_inside=float(covered[inside].mean()),
        coverage_by_truth=_by_third(covered[inside], within),
        coverage_by_value=_by_third(covered[inside], value[inside]),
        sd_ratio_inside=float(value[inside].std() / within.std()),
    )


def _rms(error: np.ndarray) -> float:
    return float(np.sqrt(np.mean(error**2))) if error.size else float("nan")


def _by_third(covered: np.ndarray, order: np.ndarray) -> tuple[float, ...]:
    edges = np.quantile(order, [1 / 3, 2 / 3])
    third = np.searchsorted(edges, order, side="right")
    return tuple(float(covered[third == number].mean()) for number in range(3))
