"""Compiled loops over the cells of tiles and blocks.

Apart from the modules that use them, because the compiler takes a second to import: a server that only shows maps never needs
it. So these modules import them where they are called.
"""

from __future__ import annotations

import numpy as np

from alm_core.trees.compiled import compiled

# ---- predictors of tiles (TIFF 6.0, section 14; Adobe Photoshop TIFF Technical Note 3) ----------------------------------


@compiled
def predict_floats(words, out):
    """Predictor 3: in each row first the highest bytes of all numbers, then the next ones, each less its left neighbour."""
    bands, rows, columns = words.shape
    count = columns * bands
    # Loops over whole arrays that are sliced outside: the compiler then takes 64 bytes at a time.
    line, sorted_bytes = np.empty(count, np.uint32), np.empty((4, count), np.uint8)
    whole = sorted_bytes.reshape(4 * count)
    later, earlier = whole[bands:], whole[: 4 * count - bands]
    for row in range(rows):
        for band in range(bands):
            cells, places = words[band, row], line[band::bands]
            for column in range(columns):
                places[column] = cells[column]
        for plane in range(4):
            place, shift = sorted_bytes[plane], np.uint32(24 - 8 * plane)
            for number in range(count):
                place[number] = np.uint8(line[number] >> shift)
        predicted = out[row * 4 * count : (row + 1) * 4 * count]
        for number in range(bands):
            predicted[number] = whole[number]
        rest = predicted[bands:]
        for number in range(later.size):
            rest[number] = later[number] - earlier[number]


@compiled
def restore_floats(predicted, words):
    """The inverse of `predict_floats`."""
    bands, rows, columns = words.shape
    count = columns * bands
    line, sorted_bytes = np.empty(count, np.uint32), np.empty((4, count), np.uint8)
    whole = sorted_bytes.reshape(4 * count)
    for row in range(rows):
        differences = predicted[row * 4 * count : (row + 1) * 4 * count]
        for band in range(bands):
            value, those, places = np.uint8(0), differences[band::bands], whole[band::bands]
            for number in range(those.size):
                value = np.uint8(value + those[number])
                places[number] = value
        first, second, third, fourth = sorted_bytes[0], sorted_bytes[1], sorted_bytes[2], sorted_bytes[3]
        for number in range(count):
            line[number] = (
                (np.uint32(first[number]) << np.uint32(24))
                | (np.uint32(second[number]) << np.uint32(16))
                | (np.uint32(third[number]) << np.uint32(8))
                | np.uint32(fourth[number])
            )
        for band in range(bands):
            cells, places = words[band, row], line[band::bands]
            for column in range(columns):
                cells[column] = places[column]


@compiled
def predict_whole(words, out):
    """Predictor 2: each number less its left neighbour of the same band."""
    bands, rows, columns = words.shape
    for band in range(bands):
        for row in range(rows):
            start = row * columns * bands
            cells, places = words[band, row], out[start + band : start + columns * bands : bands]
            places[0] = cells[0]
            for column in range(1, columns):
                places[column] = cells[column] - cells[column - 1]


@compiled
def restore_whole(predicted, words):
    """The inverse of `predict_whole`."""
    bands, rows, columns = words.shape
    for band in range(bands):
        for row in range(rows):
            start = row * columns * bands
            cells, places = words[band, row], predicted[start + band : start + columns * bands : bands]
            cells[0] = places[0]
            for column in range(1, columns):
                cells[column] = cells[column - 1] + places[column]


# ---- overviews ----------------------------------------------------------------------------------------------------------


@compiled
def means(values, rows, columns, nodata, out):
    """Mean of the cells among each four that are neither NaN nor nodata."""
    first, second = columns[0], columns[1]
    for band in range(out.shape[0]):
        for row in range(out.shape[1]):
            upper, lower, mean = values[band, rows[0, row]], values[band, rows[1, row]], out[band, row]
            for column in range(out.shape[2]):
                left, right = first[column], second[column]
                total, count = 0.0, 0
                for value in (upper[left], upper[right], lower[left], lower[right]):
                    known = value == value and value != nodata  # NaN differs from itself
                    total += value if known else 0.0
                    count += known
                mean[column] = total / count if count else nodata


@compiled
def whole_means(values, rows, columns, nodata, instead, out):
    """The same for whole numbers, rounded half to even; `instead` stands where the mean would be nodata."""
    for band in range(out.shape[0]):
        for row in range(out.shape[1]):
            for column in range(out.shape[2]):
                total, count = 0, 0
                for number in range(4):
                    value = values[band, rows[number // 2, row], columns[number % 2, column]]
                    if value != nodata:
                        total += value
                        count += 1
                if count == 0:
                    out[band, row, column] = nodata
                else:
                    mean = np.rint(total / count)
                    out[band, row, column] = instead if mean == nodata else mean


@compiled
def modes(values, rows, columns, nodata, out):
    """Commonest value of the cells among each four that are neither NaN nor nodata; the first one of equally common ones."""
    for band in range(out.shape[0]):
        for row in range(out.shape[1]):
            for column in range(out.shape[2]):
                best, most = nodata, 0
                for number in range(4):
                    value = values[band, rows[number // 2, row], columns[number % 2, column]]
                    if value != value or value == nodata:
                        continue
                    count = 0
                    for other in range(4):
                        if values[band, rows[other // 2, row], columns[other % 2, column]] == value:
                            count += 1
                    if count > most:
                        best, most = value, count
                out[band, row, column] = best


# ---- values of a block --------------------------------------------------------------------------------------------------


@compiled
def spread_bytes(words, known, count):
    """The words of the known cells: first all highest bytes, then the next ones, each less the one before it.

    Neighbours are alike, so that the differences of their high bytes are mostly 0, which packs well.
    """
    out = np.empty(4 * count, np.uint8)
    line = np.empty(count, np.uint32)
    number = 0
    for row in range(words.shape[0]):
        for column in range(words.shape[1]):
            if known[row, column]:
                line[number] = words[row, column]
                number += 1
    for plane in range(4):
        place, shift = out[plane * count : (plane + 1) * count], np.uint32(24 - 8 * plane)
        place[0] = np.uint8(line[0] >> shift)
        later, earlier, rest = line[1:], line[: count - 1], place[1:]
        for number in range(later.size):
            rest[number] = np.uint8((later[number] >> shift) - (earlier[number] >> shift))
    return out


@compiled
def gather_bytes(differences, known, words):
    """The inverse of `spread_bytes`; unknown cells become NaN."""
    count = differences.size // 4
    line = np.zeros(count, np.uint32)
    for plane in range(4):
        place, shift = differences[plane * count : (plane + 1) * count], np.uint32(24 - 8 * plane)
        value = np.uint8(0)
        for number in range(count):
            value = np.uint8(value + place[number])
            line[number] |= np.uint32(value) << shift
    number = 0
    for row in range(words.shape[0]):
        for column in range(words.shape[1]):
            if known[row, column]:
                words[row, column] = line[number]
                number += 1
            else:
                words[row, column] = np.uint32(0x7FC00000)
