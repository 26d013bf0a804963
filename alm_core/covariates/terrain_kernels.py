"""Compiled loops of the local terrain indices; `alm_core.covariates.curvature` and `.convergence` are the way in.

Every kernel takes elevation with a halo and gives the cells inside it. Unless it says otherwise, a neighbour that is
missing is put on the straight line through the cell and the opposite neighbour, so that planes stay planes at edges.
"""

from __future__ import annotations

import math

import numpy as np

from alm_core.covariates.compiling import kernel


@kernel
def smoothed(elevation: np.ndarray, reach: int) -> np.ndarray:
    """Mean of the valid cells within `reach` cells of each inner cell; missing where the cell itself is missing."""
    rows, columns = elevation.shape[0] - 2 * reach, elevation.shape[1] - 2 * reach
    mean = np.full((rows, columns), np.nan)
    half_widths = np.array([int(math.sqrt(reach * reach - step * step)) for step in range(-reach, reach + 1)])
    for row in range(rows):
        for column in range(columns):
            centre = elevation[row + reach, column + reach]
            if math.isnan(centre):
                continue
            # Differences from the centre, so that nothing is lost to rounding at 5000 m.
            total, count = 0.0, 0
            for step in range(2 * reach + 1):
                half = half_widths[step]
                for other in range(column + reach - half, column + reach + half + 1):
                    value = elevation[row + step, other]
                    if not math.isnan(value):
                        total += value - centre
                        count += 1
            mean[row, column] = centre + total / count
    return mean


@kernel
def _around(elevation: np.ndarray, row: int, column: int, found: np.ndarray) -> None:
    """The 3 x 3 cells around a valid cell as differences from it, missing ones filled: rows north to south."""
    centre = elevation[row, column]
    for step_row in range(3):
        for step_column in range(3):
            found[step_row, step_column] = elevation[row - 1 + step_row, column - 1 + step_column] - centre
    for at, opposite in (((0, 1), (2, 1)), ((1, 0), (1, 2)), ((0, 0), (2, 2)), ((0, 2), (2, 0))):
        first, second = found[at], found[opposite]
        if math.isnan(first):
            found[at] = 0.0 if math.isnan(second) else -second
        if math.isnan(second):
            found[opposite] = 0.0 if math.isnan(first) else -first


@kernel
def curvatures(elevation: np.ndarray, width: np.ndarray, height: np.ndarray, textbook: bool) -> tuple[np.ndarray, np.ndarray]:
    """Plan and profile curvature (textbook), or cross-sectional and longitudinal curvature, 1/m, of the inner cells."""
    rows, columns = elevation.shape[0] - 2, elevation.shape[1] - 2
    plan, profile = np.full((rows, columns), np.nan), np.full((rows, columns), np.nan)
    z = np.empty((3, 3))
    for row in range(rows):
        dx, dy = width[row], height[row]
        for column in range(columns):
            if math.isnan(elevation[row + 1, column + 1]) or math.isnan(dx):
                continue
            _around(elevation, row + 1, column + 1, z)
            p, q = (z[1, 2] - z[1, 0]) / (2 * dx), (z[0, 1] - z[2, 1]) / (2 * dy)
            xx, yy = (z[1, 2] + z[1, 0]) / (dx * dx), (z[0, 1] + z[2, 1]) / (dy * dy)
            xy = (z[0, 2] - z[0, 0] - z[2, 2] + z[2, 0]) / (4 * dx * dy)
            steep = p * p + q * q
            if steep == 0.0:  # no direction of flow: neither along nor across it
                plan[row, column] = profile[row, column] = 0.0
                continue
            across = -(yy * p * p + xx * q * q - 2 * xy * p * q) / steep
            along = -(xx * p * p + yy * q * q + 2 * xy * p * q) / steep
            if textbook:
                plan[row, column] = across / math.sqrt(steep)
                profile[row, column] = along / (1 + steep) ** 1.5
            else:
                plan[row, column] = across
                profile[row, column] = along
    return plan, profile


@kernel
def _angle(cosine: float) -> float:
    return math.acos(min(1.0, max(-1.0, cosine)))


@kernel
def _as_index(total: float, count: int) -> float:
    """The convergence index of a sum of angles in radians: 0 at a right angle."""
    return (total / count / (math.pi / 2) - 1.0) * 100.0 if count else 0.0


@kernel
def convergence_of_quarters(elevation: np.ndarray, width: np.ndarray, height: np.ndarray) -> np.ndarray:
    """Convergence index from the four 2 x 2 squares that share each inner cell; a missing cell gets the centre's height."""
    rows, columns = elevation.shape[0] - 2, elevation.shape[1] - 2
    index = np.full((rows, columns), np.nan)
    z = np.empty((3, 3))
    for row in range(rows):
        dx, dy = width[row], height[row]
        diagonal = math.hypot(dx, dy)
        for column in range(columns):
            if math.isnan(elevation[row + 1, column + 1]) or math.isnan(dx):
                continue
            centre = elevation[row + 1, column + 1]
            for r in range(3):
                for c in range(3):
                    value = elevation[row + r, column + c]
                    z[r, c] = 0.0 if math.isnan(value) else value - centre
            total, count = 0.0, 0
            for r in (0, 1):
                for c in (0, 1):
                    down_x = (z[r, c] + z[r + 1, c] - z[r, c + 1] - z[r + 1, c + 1]) / dx
                    down_y = (z[r + 1, c] + z[r + 1, c + 1] - z[r, c] - z[r, c + 1]) / dy
                    if down_x == 0.0 and down_y == 0.0:
                        continue
                    # Towards the centre: east for the western squares (c = 0), south for the northern ones (r = 0).
                    towards = down_x * (1.0 - 2.0 * c) * dx - down_y * (1.0 - 2.0 * r) * dy
                    total += _angle(towards / (math.sqrt(down_x * down_x + down_y * down_y) * diagonal))
                    count += 1
            index[row, column] = _as_index(total, count)
    return index


@kernel
def _directions(elevation: np.ndarray, width: np.ndarray, height: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each inner cell slopes to, east and north, of length 1; 0 on levels, NaN where missing."""
    rows, columns = elevation.shape[0] - 2, elevation.shape[1] - 2
    east, north = np.full((rows, columns), np.nan), np.full((rows, columns), np.nan)
    z = np.empty((3, 3))
    for row in range(rows):
        dx, dy = width[row], height[row]
        for column in range(columns):
            if math.isnan(elevation[row + 1, column + 1]) or math.isnan(dx):
                continue
            _around(elevation, row + 1, column + 1, z)
            x, y = (z[1, 0] - z[1, 2]) / dx, (z[2, 1] - z[0, 1]) / dy
            length = math.sqrt(x * x + y * y)
            east[row, column], north[row, column] = (x / length, y / length) if length > 0.0 else (0.0, 0.0)
    return east, north


@kernel
def convergence_of_neighbours(elevation: np.ndarray, width: np.ndarray, height: np.ndarray) -> np.ndarray:
    """Convergence index from the aspects of the eight neighbours; elevation has a halo of two cells, sizes of one."""
    rows, columns = elevation.shape[0] - 4, elevation.shape[1] - 4
    index = np.full((rows, columns), np.nan)
    east, north = _directions(elevation, width, height)
    for row in range(rows):
        dx, dy = width[row + 1], height[row + 1]
        diagonal = math.hypot(dx, dy)
        for column in range(columns):
            if math.isnan(elevation[row + 2, column + 2]) or math.isnan(east[row + 1, column + 1]):
                continue
            total, count = 0.0, 0
            for step_row in (-1, 0, 1):
                for step_column in (-1, 0, 1):
                    if step_row == 0 and step_column == 0:
                        continue
                    r, c = row + 1 + step_row, column + 1 + step_column
                    if math.isnan(east[r, c]):  # no such neighbour: it slopes as the cell itself, so planes stay planes
                        r, c = row + 1, column + 1
                    if east[r, c] == 0.0 and north[r, c] == 0.0:
                        continue
                    towards = north[r, c] * step_row * dy - east[r, c] * step_column * dx
                    length = diagonal if step_row and step_column else (dx if step_row == 0 else dy)
                    total += _angle(towards / length)
                    count += 1
            index[row, column] = _as_index(total, count)
    return index
