"""Encodings: how physical values become the numbers that a raster stores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alm_core.errors import DomainError, NodataError, RasterError

DEFAULT_NODATA = {"float32": float("nan"), "int16": -32768, "uint8": 255}


@dataclass(frozen=True)
class Encoding:
    """How physical values become the numbers of a file: ``stored = (value - offset) / scale``, one scale per band."""

    dtype: str
    nodata: float
    scale: tuple[float, ...]
    offset: tuple[float, ...]

    def __post_init__(self) -> None:
        if self.dtype not in DEFAULT_NODATA:
            raise RasterError(f"The data type {self.dtype!r} can't be written. Choose one of {', '.join(DEFAULT_NODATA)}.")
        if any(not value > 0 for value in self.scale):
            raise DomainError(f"The scale is {self.scale}: positive numbers are expected.")
        if self.dtype != "float32":
            limits = np.iinfo(self.dtype)
            if np.isnan(self.nodata) or not limits.min <= self.nodata <= limits.max or self.nodata != int(self.nodata):
                raise NodataError(
                    f"Nodata is {self.nodata}, which {self.dtype} can't hold. "
                    f"Give a whole number between {limits.min} and {limits.max}."
                )

    @property
    def as_they_are(self) -> bool:
        """True where float32 values are stored with nothing done to them: no value can be refused then."""
        plain = all(value == 1 for value in self.scale) and all(value == 0 for value in self.offset)
        return self.dtype == "float32" and plain and bool(np.isnan(self.nodata))

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Turn ``[band, row, column]`` of physical values (NaN: missing) into what the file stores.

        Integers that come for an integer file are stored as they are, their own nodata included.

        Raises
        ------
        DomainError
            A value does not fit into the data type, or would be read back as nodata.
        """
        if np.issubdtype(values.dtype, np.integer) and self.dtype != "float32":
            return self._whole(values)
        scale = np.asarray(self.scale, float)[:, None, None]
        offset = np.asarray(self.offset, float)[:, None, None]
        missing = np.isnan(values)
        if values.dtype == np.float32 and self.as_they_are:
            return np.where(missing, np.float32(self.nodata), values)  # one kind of NaN, whatever its bits were
        plain = not (scale != 1).any() and not (offset != 0).any()
        stored = values if plain else (values.astype(float) - offset) / scale
        if self.dtype == "float32":
            with np.errstate(over="ignore"):  # the next line looks for it
                stored = stored.astype(np.float32)
            # An infinite bound of an interval is honest (too few sites for the level) and is kept.
            self._check(values, (np.isinf(stored) & np.isfinite(values)) | ((stored == self.nodata) & ~missing))
            return np.where(missing, np.float32(self.nodata), stored)
        limits = np.iinfo(self.dtype)
        whole = np.rint(np.where(missing, 0, stored))
        self._check(values, ~missing & ((whole < limits.min) | (whole > limits.max) | (whole == self.nodata)))
        return np.where(missing, self.nodata, whole).astype(self.dtype)

    def _whole(self, values: np.ndarray) -> np.ndarray:
        limits = np.iinfo(self.dtype)
        self._check(values, (values < limits.min) | (values > limits.max))
        return values.astype(self.dtype)

    def _check(self, values: np.ndarray, bad: np.ndarray) -> None:
        if not bad.any():
            return
        band = int(np.argmax(bad.any(axis=(1, 2))))
        found = values[band][bad[band]]
        hint = "Check the predictions for numbers that are too large, or choose another nodata."
        if self.dtype != "float32":
            finite = np.abs(values[band][np.isfinite(values[band])].astype(float) - self.offset[band])
            fitting = float(finite.max()) / np.iinfo(self.dtype).max if finite.size else self.scale[band]
            hint = f"Use float32, or a scale of at least {fitting * 1.05:.2g}."
        raise DomainError(
            f"Band {band + 1} holds {int(bad.sum())} values, such as {float(found[0]):.6g}, that {self.dtype} with scale "
            f"{self.scale[band]}, offset {self.offset[band]} and nodata {self.nodata} can't store. {hint}"
        )
