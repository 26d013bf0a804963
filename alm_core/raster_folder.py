"""What a folder of GeoTIFFs holds, band by band."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from alm_core.checking.quantities import likely_scale, range_of_name
from alm_core.checking.raster import unit_of
from alm_core.checking.scan import BandScan, scan_band
from alm_core.covariates.raster import check_whole, open_raster, source_grid
from alm_core.errors import AlmError, MissingFileError, RasterError
from alm_core.grid import Grid
from alm_core.guessing import LayerGuess, guess_layer, is_mask

SUFFIXES = (".tif", ".tiff")
LONGEST_LABEL = 12
"""Letters of a band's description that still make a good name (B4, VV, red)."""


@dataclass(frozen=True)
class BandFacts:
    """One band of a raster file and what it is taken for.

    Attributes
    ----------
    path : Path
    band : int
    name : str
        Unique among the bands of the folder; fit for a file name.
    grid : Grid
        North-up grid; its CRS is None where the file declares none.
    scan : BandScan
    guess : LayerGuess
    description : str
        What the file says of the band.
    nodata : float or None
        Proposed nodata, where a sentinel is not declared.
    scale : float or None
        Proposed factor, where the numbers are stored times a power of ten.
    simulated : bool
        The file says that it is simulated.
    """

    path: Path
    band: int
    name: str
    grid: Grid
    scan: BandScan
    guess: LayerGuess
    description: str = ""
    nodata: float | None = None
    scale: float | None = None
    simulated: bool = False

    @property
    def useless(self) -> str:
        """Why it can't be a covariate; empty where it can."""
        if self.scan.valid == 0:
            return "every cell is nodata"
        return f"every cell is {self.scan.minimum:g}" if self.scan.constant and self.scan.whole else ""

    @property
    def mask(self) -> bool:
        """True for a layer of 0 and 1 that is called a mask."""
        return is_mask(self.path.stem, self.scan.distinct)


@dataclass(frozen=True)
class RasterFolder:
    """All bands of a folder.

    Attributes
    ----------
    bands : tuple of BandFacts
    faulty : dict
        File name to why it can't be read.
    ignored : tuple of str
        Files of other kinds.
    """

    bands: tuple[BandFacts, ...]
    faulty: dict[str, str]
    ignored: tuple[str, ...]


def read_folder(folder: str | Path) -> RasterFolder:
    """Look at every .tif and .tiff of a folder (not of folders in it), sorted by name; nothing else is opened.

    Raises
    ------
    MissingFileError
        There is no such folder.
    RasterError
        No GeoTIFF in it can be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise MissingFileError(f"There is no folder {folder}. A folder of GeoTIFFs is expected.")
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    rasters = [path for path in files if path.suffix.lower() in SUFFIXES]
    bands: list[BandFacts] = []
    faulty: dict[str, str] = {}
    for path in rasters:
        try:
            bands += read_bands(path)
        except AlmError as fault:
            faulty[path.name] = str(fault)
    if not bands:
        reasons = "; ".join(f"{name}: {text}" for name, text in faulty.items()) or "it holds none"
        raise RasterError(f"No GeoTIFF (.tif, .tiff) in {folder} can be used: {reasons}. At least one is expected.")
    ignored = tuple(path.name for path in files if path not in rasters)
    return RasterFolder(tuple(_with_unique_names(bands)), faulty, ignored)


def read_bands(path: Path) -> list[BandFacts]:
    """Look at every band of a GeoTIFF.

    Raises
    ------
    AlmError
        The file can't be used.
    """
    found = []
    with open_raster(path) as dataset:
        grid, _ = source_grid(dataset)
        simulated = any("simulated" in f"{key} {text}".lower() for key, text in dataset.tags().items())
        for band in range(1, dataset.count + 1):
            check_whole(dataset, band)
            scan = scan_band(dataset, band)
            sentinel = scan.sentinel
            if sentinel is not None:
                scan = scan_band(dataset, band, nodata=sentinel)
            description = dataset.descriptions[band - 1] or ""
            name = _band_name(path.stem, band, dataset.count, description)
            guess = guess_layer(
                name, dtype=dataset.dtypes[band - 1], distinct=scan.distinct, unit=unit_of(dataset, band), description=description
            )
            scale = _scale(name, scan, dataset.scales[band - 1])
            found.append(BandFacts(path, band, safe_name(name), grid, scan, guess, description, sentinel, scale, simulated))
    return found


def _band_name(stem: str, band: int, count: int, description: str) -> str:
    if count == 1:
        return stem
    return f"{stem}_{description if 0 < len(description) <= LONGEST_LABEL else f'band{band}'}"


def _scale(name: str, scan: BandScan, declared: float) -> float | None:
    limits = range_of_name(name)
    if limits is None or declared != 1.0 or not np.isfinite(scan.minimum):
        return None
    return likely_scale(scan.minimum, scan.maximum, limits)


def safe_name(name: str) -> str:
    """A layer name that is fit for a file name, a column and a band.

    Examples
    --------
    >>> safe_name("NDVI 2010 (mean)"), safe_name("mask")
    ('NDVI_2010_mean', 'mask_layer')
    """
    plain = re.sub(r"[^\w-]+", "_", name).strip("_") or "layer"
    return "mask_layer" if plain.casefold() == "mask" else plain


def _with_unique_names(bands: list[BandFacts]) -> list[BandFacts]:
    seen: Counter[str] = Counter()
    unique = []
    for facts in bands:
        seen[facts.name.casefold()] += 1
        number = seen[facts.name.casefold()]
        unique.append(facts if number == 1 else replace(facts, name=f"{facts.name}_{number}"))
    return unique


def common_grid(bands: list[BandFacts]) -> tuple[BandFacts, str]:
    """A band of the grid that most files share, of the finer one where two are as common; and why."""
    shared = Counter(_key(facts.grid) for facts in {facts.path: facts for facts in bands}.values())
    most = max(shared.values())
    fits = [facts for facts in bands if shared[_key(facts.grid)] == most]
    chosen = min(fits, key=lambda facts: (_cell(facts.grid), facts.name))
    if len(shared) == 1:
        return chosen, "all rasters lie on this grid"
    finest = min(bands, key=lambda facts: _cell(facts.grid))
    why = f"{most} of {shared.total()} rasters lie on this grid"
    if _cell(finest.grid) < _cell(chosen.grid):
        why += f"; the finest is that of {finest.path.name}"
    return chosen, why


def _key(grid: Grid) -> tuple[object, ...]:
    return grid.crs, tuple(round(value, 9) for value in grid.transform), grid.shape


def _cell(grid: Grid) -> float:
    """Area of the middle cell in square metres (of unknown units where the CRS is not known)."""
    middle = grid.shape[0] // 2
    looks_like_degrees = grid.crs is None and max(abs(edge) for edge in grid.bounds) <= 360
    used = Grid("EPSG:4326", grid.transform, grid.shape) if looks_like_degrees else grid
    return float(used.cell_area_square_metres(slice(middle, middle + 1))[0])
