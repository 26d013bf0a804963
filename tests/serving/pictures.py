"""Tiles read back, and tiles that hold data."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from alm_core.serving.mercator import tile_pixels

MIDDLE = (7, 97, 52)
"""A tile inside the small study's map (90 to 94 E, 30 to 33 N)."""
EDGE = (5, 24, 13)
"""A tile that holds all of it, and much around it."""
OUTSIDE = (5, 3, 3)


def rgba(content: bytes) -> np.ndarray:
    """A PNG as uint8 ``[row, column, 4]``."""
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGBA"))


def cells_under(tile: tuple[int, int, int], bounds: tuple[float, float, float, float], shape: tuple[int, int]):
    """Row and column of the cell under each pixel of a tile, and which pixels lie on the raster, by plain division."""
    pixels = tile_pixels(*tile)
    west, south, east, north = bounds
    column = np.floor((pixels.longitude - west) / (east - west) * shape[1]).astype(int)
    row = np.floor((north - pixels.latitude) / (north - south) * shape[0]).astype(int)
    inside = ((row >= 0) & (row < shape[0]))[:, None] & ((column >= 0) & (column < shape[1]))[None, :]
    return np.clip(row, 0, shape[0] - 1), np.clip(column, 0, shape[1] - 1), inside
