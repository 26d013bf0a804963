"""Compiled loops over whole grids of flow; `alm_core.covariates.flow` and `.channels` are the way in.

Grids are flat arrays in row-major order, NaN where there is no land. What flows over the edge of the grid or into a cell
without land has left. Neighbours are counted 0..7 clockwise from the north.
"""

from __future__ import annotations

import math

import numpy as np

from alm_core.covariates.compiling import kernel

ROW_STEPS = np.array([-1, -1, 0, 1, 1, 1, 0, -1])
COLUMN_STEPS = np.array([0, 1, 1, 1, 0, -1, -1, -1])


@kernel
def _push(levels: np.ndarray, cells: np.ndarray, size: int, level: float, cell: int) -> None:
    """Put a cell into a binary heap that holds `size` of them; equal levels come out by cell number."""
    at = size
    while at > 0:
        above = (at - 1) >> 1
        if levels[above] < level or (levels[above] == level and cells[above] <= cell):
            break
        levels[at], cells[at] = levels[above], cells[above]
        at = above
    levels[at], cells[at] = level, cell


@kernel
def _pop(levels: np.ndarray, cells: np.ndarray, size: int) -> tuple[float, int]:
    """Take the lowest cell from a heap of `size`."""
    top_level, top_cell = levels[0], cells[0]
    level, cell = levels[size - 1], cells[size - 1]
    size -= 1
    at = 0
    while True:
        below = 2 * at + 1
        if below >= size:
            break
        right = below + 1
        if right < size and (levels[right] < levels[below] or (levels[right] == levels[below] and cells[right] < cells[below])):
            below = right
        if level < levels[below] or (level == levels[below] and cell <= cells[below]):
            break
        levels[at], cells[at] = levels[below], cells[below]
        at = below
    levels[at], cells[at] = level, cell
    return top_level, top_cell


@kernel
def _is_outlet(elevation: np.ndarray, row: int, column: int) -> bool:
    rows, columns = elevation.shape
    if row == 0 or column == 0 or row == rows - 1 or column == columns - 1:
        return True
    for step_row in (-1, 0, 1):
        for step_column in (-1, 0, 1):
            if math.isnan(elevation[row + step_row, column + step_column]):
                return True
    return False


@kernel
def filled_and_ordered(elevation: np.ndarray, rise: float) -> tuple[np.ndarray, np.ndarray]:
    """The lowest surface from which everything drains, and all land cells from the lowest to the highest of it.

    A priority flood (Barnes, Lehman and Mulla 2014) from all outlets inwards. Each step inside a depression rises by
    `rise` (times sqrt 2 on a diagonal), so a cell may be reached again by a shorter way: then the lower level stands.
    """
    rows, columns = elevation.shape
    filled = np.full((rows, columns), np.inf)
    order = np.empty(rows * columns, np.int32)  # larger grids are refused long before: `flow.MAXIMUM_CELLS`
    done = np.zeros((rows, columns), np.bool_)
    levels, cells, size = np.empty(1024), np.empty(1024, np.int64), 0
    for row in range(rows):
        for column in range(columns):
            if math.isnan(elevation[row, column]):
                filled[row, column] = np.nan
            elif _is_outlet(elevation, row, column):
                if size == len(levels):
                    levels, cells = np.concatenate((levels, np.empty(size))), np.concatenate((cells, np.empty(size, np.int64)))
                filled[row, column] = elevation[row, column]
                _push(levels, cells, size, filled[row, column], row * columns + column)
                size += 1
    count = 0
    while size > 0:
        level, cell = _pop(levels, cells, size)
        size -= 1
        row, column = cell // columns, cell % columns
        if done[row, column]:
            continue
        done[row, column] = True
        order[count] = cell
        count += 1
        for way in range(8):
            r, c = row + ROW_STEPS[way], column + COLUMN_STEPS[way]
            if r < 0 or c < 0 or r >= rows or c >= columns or math.isnan(elevation[r, c]) or done[r, c]:
                continue
            reached = max(np.float64(elevation[r, c]), level + (rise if way % 2 == 0 else rise * math.sqrt(2.0)))
            if reached < filled[r, c]:
                if size == len(levels):
                    levels, cells = np.concatenate((levels, np.empty(size))), np.concatenate((cells, np.empty(size, np.int64)))
                filled[r, c] = reached
                _push(levels, cells, size, reached, r * columns + c)
                size += 1
    return filled, order[:count]


@kernel
def _distance(width: float, height: float, way: int) -> float:
    if way % 4 == 0:
        return height
    return width if way % 2 == 0 else math.hypot(width, height)


@kernel
def _drop(surface: np.ndarray, row: int, column: int, way: int) -> float:
    """How far it goes down to a neighbour; beyond an edge it goes on as it came from the opposite neighbour."""
    rows, columns = surface.shape
    r, c = row + ROW_STEPS[way], column + COLUMN_STEPS[way]
    if 0 <= r < rows and 0 <= c < columns and not math.isnan(surface[r, c]):
        return surface[row, column] - surface[r, c]
    r, c = row - ROW_STEPS[way], column - COLUMN_STEPS[way]
    if 0 <= r < rows and 0 <= c < columns and not math.isnan(surface[r, c]):
        return surface[r, c] - surface[row, column]
    return 0.0


@kernel
def _is_land(surface: np.ndarray, row: int, column: int) -> bool:
    rows, columns = surface.shape
    return 0 <= row < rows and 0 <= column < columns and not math.isnan(surface[row, column])


@kernel
def accumulated(filled: np.ndarray, order: np.ndarray, width: np.ndarray, height: np.ndarray, exponent: float) -> np.ndarray:
    """Area that drains through each cell, its own included, shared among all lower neighbours by slope to `exponent`."""
    rows, columns = filled.shape
    area = np.full((rows, columns), np.nan)
    for row in range(rows):
        for column in range(columns):
            if not math.isnan(filled[row, column]):
                area[row, column] = width[row] * height[row]
    shares = np.zeros(8)
    for position in range(len(order) - 1, -1, -1):
        cell = order[position]
        row, column = cell // columns, cell % columns
        total = 0.0
        for way in range(8):
            drop = _drop(filled, row, column, way)
            shares[way] = (drop / _distance(width[row], height[row], way)) ** exponent if drop > 0.0 else 0.0
            total += shares[way]
        if total == 0.0:
            continue
        for way in range(8):
            r, c = row + ROW_STEPS[way], column + COLUMN_STEPS[way]
            if shares[way] > 0.0 and _is_land(filled, r, c):
                area[r, c] += area[row, column] * (shares[way] / total)
    return area


@kernel
def strahler_orders(surface: np.ndarray, order: np.ndarray, width: np.ndarray, height: np.ndarray, head_cells: int) -> np.ndarray:
    """Strahler's order of the stream through each cell, each cell flowing to its steepest lower neighbour.

    The first `head_cells` cells of each flow path are no stream yet and have order 0, as has what is no land.
    """
    rows, columns = surface.shape
    streams = np.zeros((rows, columns), np.int16)
    joining = np.zeros((rows, columns), np.int8)  # how many streams of the order in `streams` have come in
    length = np.zeros((rows, columns), np.int8)  # cells of the longest path to here, up to `head_cells`
    for position in range(len(order) - 1, -1, -1):
        cell = order[position]
        row, column = cell // columns, cell % columns
        if streams[row, column] == 0:
            streams[row, column] = 1 if length[row, column] >= head_cells else 0
        elif joining[row, column] > 1:
            streams[row, column] += 1
        steepest, target = 0.0, -1
        for way in range(8):
            r, c = row + ROW_STEPS[way], column + COLUMN_STEPS[way]
            if not _is_land(surface, r, c):
                continue
            slope = (surface[row, column] - surface[r, c]) / _distance(width[row], height[row], way)
            if slope > steepest:
                steepest, target = slope, way
        if target < 0:
            continue
        r, c = row + ROW_STEPS[target], column + COLUMN_STEPS[target]
        length[r, c] = max(length[r, c], min(head_cells, length[row, column] + 1))
        if streams[r, c] < streams[row, column]:
            streams[r, c], joining[r, c] = streams[row, column], 1
        elif streams[r, c] == streams[row, column]:
            joining[r, c] += 1
    return streams


@kernel
def relaxed(level: np.ndarray, known: np.ndarray, ceiling: np.ndarray, tolerance: float, sweeps: int) -> tuple[int, float]:
    """Give each unknown cell the mean of its neighbours, never above its ceiling, until nothing moves by `tolerance`.

    Works in place on `level`, over-relaxed, forth and back; gives the sweeps done and the largest move of the last one.
    Diagonal neighbours count 1 / sqrt 2.
    """
    rows, columns = level.shape
    done, largest = 0, 0.0
    while done < sweeps:
        largest = 0.0
        forth = done % 2 == 0
        for row_number in range(rows):
            row = row_number if forth else rows - 1 - row_number
            for column_number in range(columns):
                column = column_number if forth else columns - 1 - column_number
                if known[row, column] or math.isnan(level[row, column]):
                    continue
                total, weight = 0.0, 0.0
                for way in range(8):
                    r, c = row + ROW_STEPS[way], column + COLUMN_STEPS[way]
                    if 0 <= r < rows and 0 <= c < columns and not math.isnan(level[r, c]):
                        share = 1.0 if way % 2 == 0 else 0.7071067811865475
                        total += share * level[r, c]
                        weight += share
                if weight == 0.0:
                    continue
                before = level[row, column]
                after = min(before + 1.5 * (total / weight - before), ceiling[row, column])
                level[row, column] = after
                largest = max(largest, abs(after - before))
        done += 1
        if largest < tolerance:
            break
    return done, largest
