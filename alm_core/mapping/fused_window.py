"""Fuse the member bands of a finished map again, window by window: other weights without training or predicting anything."""

from __future__ import annotations

from typing import Any

import numpy as np
from rasterio.io import DatasetReader
from rasterio.windows import Window

from alm_core.learning.fusion import Fusion

FUSED_BANDS = ("value", "lower", "upper")
CHUNK = 1 << 16
"""Cells fused at once: the intermediate tables of so many stay in some ten megabytes."""


class FusedWindows:
    """Value, lower and upper of a fusion, from the members of a map.

    Parameters
    ----------
    members : DatasetReader
        members.tif of a regression, open; one band per learner in the order of the fusion.
    fusion : Fusion
    """

    def __init__(self, members: DatasetReader, fusion: Fusion) -> None:
        self.members = members
        self.fusion = fusion
        self._scales = np.array(members.scales)[:, None]
        self._offsets = np.array(members.offsets)[:, None]

    def read(self, window: Window) -> np.ndarray:
        """Fuse one window: float32 ``[3, row, column]``, NaN where a member is missing and for bounds that are not there."""
        stored = self.members.read(window=window)
        missing = np.isnan(stored) if stored.dtype.kind == "f" else stored == self.members.nodata
        valid = ~missing.any(axis=0)
        found = np.full((len(FUSED_BANDS), *valid.shape), np.nan, np.float32)
        found[:, valid] = self.fuse(stored[:, valid])
        return found

    def fuse(self, stored: np.ndarray) -> np.ndarray:
        """Fuse stored numbers of the members ``[learner, cell]``: float32 ``[3, cell]``."""
        found = np.full((len(FUSED_BANDS), stored.shape[1]), np.nan, np.float32)
        for start in range(0, stored.shape[1], CHUNK):
            part = slice(start, start + CHUNK)
            fused = self.fusion.predict(stored[:, part] * self._scales + self._offsets)
            for band, values in enumerate((fused.value, fused.lower, fused.upper)):
                if values is not None:
                    found[band, part] = values
        return found


def mean_weights(fusion: Any, members: np.ndarray) -> dict[str, float]:
    """Weight of each member, averaged over sites where it depends on the value; `members` is ``[learner, site]``."""
    weights = np.nanmean(fusion.weights(members), axis=1)
    return {name: round(float(weight), 6) for name, weight in zip(fusion.learners, weights, strict=True)}
