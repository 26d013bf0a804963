"""What a study says of a raster layer, and reading it as clean numbers in the study's unit."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from rasterio.windows import Window

from alm_core.covariates.raster import MAXIMUM_CELLS, check_band, open_raster, read_window, source_grid
from alm_core.errors import StudyError

RESAMPLINGS = ("nearest", "bilinear", "cubic", "average", "mode", "min", "max", "median")
CATEGORICAL_RESAMPLINGS = ("nearest", "mode", "min", "max")
RESERVED_NAMES = ("mask",)
UNSAFE = re.compile(r'[\\/:*?"<>|\x00-\x1f]|^\.|^\s*$')


@dataclass(frozen=True)
class LayerSource:
    """One raster layer of a study; the fields are those of `[[covariates]]` in study.toml, with `path` absolute.

    `slices` gives the file and the band of each time slice where the layer changes with time; `path` is then one of them.

    Raises
    ------
    StudyError
        The name can't be a file name, or the resampling does not suit the kind.

    Examples
    --------
    >>> LayerSource(name="soil", path="/data/soil.tif", kind="categorical").method
    'nearest'
    """

    name: str
    path: str | Path
    band: int = 1
    group: str = "other"
    kind: str = "continuous"
    unit: str = ""
    resampling: str | None = None
    crs: str | None = None
    nodata: float | None = None
    scale: float = 1.0
    offset: float = 0.0
    minimum: float | None = None
    maximum: float | None = None
    use: bool = True
    source: str = ""
    slices: Mapping[str, tuple[str | Path, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_name(self.name)
        if self.kind not in ("continuous", "categorical"):
            raise StudyError(f"Covariate {self.name}: kind is {self.kind!r}; `continuous` or `categorical` is expected.")
        allowed = RESAMPLINGS if self.kind == "continuous" else CATEGORICAL_RESAMPLINGS
        if self.resampling is not None and self.resampling not in allowed:
            raise StudyError(
                f"Covariate {self.name} is {self.kind} and can't be resampled by {self.resampling!r}. "
                f"Use one of {', '.join(allowed)}."
            )
        if self.scale == 0 or not np.isfinite(self.scale) or not np.isfinite(self.offset):
            raise StudyError(
                f"Covariate {self.name}: scale {self.scale}, offset {self.offset}. A finite scale other than 0 is expected."
            )
        if self.minimum is not None and self.maximum is not None and self.minimum >= self.maximum:
            raise StudyError(f"Covariate {self.name}: minimum {self.minimum} is not below maximum {self.maximum}.")

    @property
    def method(self) -> str:
        """The resampling that is used: the one given, else bilinear, and nearest for categories."""
        return self.resampling or ("nearest" if self.kind == "categorical" else "bilinear")

    def at(self, name: str) -> LayerSource:
        """The layer in one time slice; the layer itself where it does not change."""
        if not self.slices:
            return self
        path, band = self.slices[name]
        return replace(self, path=path, band=band, slices={})


@dataclass(frozen=True)
class DerivedSource:
    """One layer computed from others; the fields are those of `[[derived]]` in study.toml.

    `inputs` gives a layer name, or names of a time stack, for each role; see `alm_core.covariates.derived.RECIPES`.
    """

    name: str
    method: str
    inputs: Mapping[str, str | Sequence[str]]
    options: Mapping[str, Any] = field(default_factory=dict)
    group: str = "other"
    unit: str = ""

    def __post_init__(self) -> None:
        check_name(self.name)

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of all layers that it is computed from, in the order of the roles."""
        return tuple(name for names in self.inputs.values() for name in ([names] if isinstance(names, str) else names))


def check_name(name: str) -> None:
    """Refuse a layer name that can't be a file name on every system.

    Raises
    ------
    StudyError
        The name is empty, reserved, hidden, or holds a path separator.
    """
    if UNSAFE.search(name) or name.casefold() in RESERVED_NAMES:
        raise StudyError(f"A layer can't be called {name!r}: the name becomes a file name. Use letters, digits, `_` and `-`.")


class LayerReader:
    """Reads one layer as float32 in the study's unit: nodata, infinities and values out of range are NaN.

    Opens the file at once; use it as a context manager, from one thread.

    Attributes
    ----------
    grid : Grid
        North-up grid of the file; a file with its rows from south to north is turned while it is read.
    scale, offset : float
        What raw numbers are multiplied by and what is added, the file's own and the study's together.
    notes : list of str
        What a person should know of the file.
    """

    def __init__(self, layer: LayerSource, *, maximum_cells: int = MAXIMUM_CELLS) -> None:
        self.layer = layer
        self.dataset = open_raster(layer.path, maximum_cells=maximum_cells)
        self.notes: list[str] = []
        try:
            check_band(self.dataset, layer.band)
            self.grid, self.flipped = source_grid(self.dataset, crs=layer.crs)
        except Exception:
            self.dataset.close()
            raise
        if self.flipped:
            self.notes.append("rows run from south to north; turned while reading")
        self.scale, self.offset = self._scale_and_offset()
        self.declared = self.dataset.nodatavals[layer.band - 1]
        self._note_nodata()
        if Path(f"{layer.path}.msk").exists():
            self.notes.append("a mask file (.msk) lies beside it and is not read: declare nodata in the raster itself")

    def __enter__(self) -> LayerReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.dataset.close()

    @property
    def dtype(self) -> np.dtype:
        """Type of the numbers in the file."""
        return np.dtype(self.dataset.dtypes[self.layer.band - 1])

    @property
    def has_range(self) -> bool:
        """True where the study names a minimum or a maximum."""
        return self.layer.minimum is not None or self.layer.maximum is not None

    def _scale_and_offset(self) -> tuple[float, float]:
        own_scale = float(self.dataset.scales[self.layer.band - 1])
        own_offset = float(self.dataset.offsets[self.layer.band - 1])
        scale, offset = self.layer.scale, self.layer.offset
        if (own_scale, own_offset) == (1.0, 0.0):
            return scale, offset
        if scale == own_scale and own_scale != 1.0:
            # A study that repeats what the file says means it once: NDVI x 0.0001 x 0.0001 is never wanted.
            self.notes.append(f"scale {own_scale:g} is declared by the file and by the study: applied once")
            scale = 1.0
            offset = 0.0 if offset == own_offset else offset
        self.notes.append(f"the file's own scale {own_scale:g} and offset {own_offset:g} were applied")
        return own_scale * scale, own_offset * scale + offset

    def _note_nodata(self) -> None:
        given = self.layer.nodata
        if given is not None and self.declared is not None and not np.array_equal(given, self.declared, equal_nan=True):
            self.notes.append(f"the file declares nodata {self.declared:g}, the study {given:g}: both count as missing")

    def read_raw(self, row_start: int, row_stop: int, column_start: int, column_stop: int) -> np.ma.MaskedArray:
        """Numbers as stored, nodata masked, ``[row, column]`` north-up; the range must lie inside the file."""
        rows = row_stop - row_start
        first = self.grid.shape[0] - row_stop if self.flipped else row_start
        window = Window(column_start, first, column_stop - column_start, rows)
        raw = read_window(self.dataset, self.layer.band, window, masked=True)
        return raw[::-1] if self.flipped else raw

    def clean(self, raw: np.ma.MaskedArray) -> tuple[np.ndarray, np.ndarray | None]:
        """Turn stored numbers into float32 of the study's unit.

        Returns
        -------
        values : ndarray
            float32; NaN where nodata, infinite or out of range.
        out_of_range : ndarray of bool or None
            Cells that lie outside minimum..maximum; None where the study names neither.
        """
        missing = np.ma.getmaskarray(raw)
        data = raw.data
        if self.layer.nodata is not None:
            missing = missing | _equals(data, self.layer.nodata)
        if self.scale == 1.0 and self.offset == 0.0:
            values = data.astype(np.float32)
        else:
            values = (data.astype(np.float64) * self.scale + self.offset).astype(np.float32)
        values[missing | ~np.isfinite(values)] = np.nan
        return values, self._cut_range(values)

    def _cut_range(self, values: np.ndarray) -> np.ndarray | None:
        if not self.has_range:
            return None
        outside = np.zeros(values.shape, bool)
        # Bounds are compared in float32, so that a value stored as 0.1 is not below a minimum of 0.1.
        if self.layer.minimum is not None:
            outside |= values < np.float32(self.layer.minimum)
        if self.layer.maximum is not None:
            outside |= values > np.float32(self.layer.maximum)
        values[outside] = np.nan
        return outside

    def read(self, row_start: int, row_stop: int, column_start: int, column_stop: int) -> tuple[np.ndarray, np.ndarray | None]:
        """`read_raw` and `clean` in one."""
        return self.clean(self.read_raw(row_start, row_stop, column_start, column_stop))


def _equals(data: np.ndarray, nodata: float) -> np.ndarray:
    if np.isnan(nodata):
        return np.isnan(data) if data.dtype.kind == "f" else np.zeros(data.shape, bool)
    if data.dtype.kind == "f":
        # -3.4028234663852886e+38 written with fewer digits must still meet the float32 number.
        return data == data.dtype.type(nodata)
    return data == nodata
