"""Compiled loops over the cells of blocks.

Apart from the module that uses them, because the compiler takes a second to import: a server that only shows maps never needs
it. So that module imports them where they are called.
"""

from __future__ import annotations

import numpy as np

from alm_core.trees.compiled import compiled


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
