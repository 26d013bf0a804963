"""The grid of a daily file: two axes of cell centres, and what tells one EASE-Grid from another."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from pyproj import CRS
from pyproj.exceptions import CRSError

from alm_core.errors import CrsError, GridError
from alm_core.grid import normal_crs

AROUND = 360.0
RADIUS_OF_FAMILY = {1: 6371228.0, 2: 6378137.0}
"""Metres: EASE-Grid 1 lies on a sphere, EASE-Grid 2 on the WGS84 ellipsoid (Brodzik et al. 2012)."""
CODES = {1: (3408, 3409, 3410), 2: (6931, 6932, 6933)}
"""EPSG codes of the northern, southern and global grid."""
CELLS_OF_EASE_1 = tuple(25067.525 / 2**n for n in range(-1, 4))
CELLS_OF_EASE_2 = tuple(
    [100000.0, 50000.0, 36000.0, 25000.0, 12500.0, 9000.0, 6250.0, 3125.0, 3000.0, 1000.0]
    + [25025.2600081 / 2**n for n in range(4)]
    + [36032.220840584 / n for n in (1, 4, 12, 36)]
)
CELL_TOLERANCE = 2e-4
"""The nearest cells of the two families, 25025.26 m and 25067.53 m, differ by 1.7e-3."""


@dataclass(frozen=True)
class FieldGrid:
    """Cell centres of the fields of a file, in the order of the file.

    Unlike `alm_core.grid.Grid` it may run from south to north, and around the globe from any meridian.

    Attributes
    ----------
    x, y : ndarray
        Centres, ``[column]`` and ``[row]``; rising or falling. Longitudes are unrolled, so that 179.5, -179.5 is 179.5, 180.5.
    crs : str
        As by `alm_core.grid.normal_crs`.
    """

    x: np.ndarray
    y: np.ndarray
    crs: str

    @classmethod
    def make(cls, x: np.ndarray, y: np.ndarray, crs: str | None) -> FieldGrid:
        """Check the axes and put them in order.

        Raises
        ------
        GridError
            Fewer than two cells along an axis, missing or uneven places, latitudes beyond the poles.
        CrsError
            No CRS, or one EASE-Grid declared for axes of the other.
        """
        if crs is None:
            raise CrsError('The file declares no CRS. Name it for this variable: crs = "EPSG:...".')
        crs = known_crs(crs)
        x, y = (np.asarray(np.ma.filled(np.ma.asarray(axis, float), np.nan)) for axis in (x, y))
        if is_degrees(crs):
            x = _unrolled(x)
        for name, axis in (("x", x), ("y", y)):
            _check_axis(name, axis)
        if is_degrees(crs):
            if np.abs(y).max() > 90.0 + 1e-6:
                raise GridError(f"Latitudes reach {np.abs(y).max():g}: the axes may be swapped, or be no latitudes.")
        else:
            check_ease_grid(crs, float(np.median(np.abs(np.diff(x)))))
        return cls(x, y, crs)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.y.size, self.x.size

    @property
    def cell(self) -> tuple[float, float]:
        """Cell width and height in units of the CRS: medians, both positive."""
        return float(np.median(np.abs(np.diff(self.x)))), float(np.median(np.abs(np.diff(self.y))))

    @property
    def is_geographic(self) -> bool:
        """True where the axes are degrees."""
        return is_degrees(self.crs)

    @property
    def is_around(self) -> bool:
        """True where the columns go once around the earth."""
        return self.is_geographic and abs(self.x.size * self.cell[0] - AROUND) < 0.5 * self.cell[0]

    @cached_property
    def key(self) -> str:
        """The same for files on the same cells."""
        digest = hashlib.sha256(self.crs.encode())
        digest.update(self.x.tobytes() + b"|" + self.y.tobytes())
        return digest.hexdigest()

    def describe(self) -> str:
        """The grid in words."""
        width, height = self.cell
        unit = "degrees" if self.is_geographic else "m"
        name = self.crs if len(self.crs) <= 40 else CRS.from_user_input(self.crs).name
        return f"{self.shape[0]} x {self.shape[1]} cells of {width:.7g} x {height:.7g} {unit}, {name}"


def _unrolled(x: np.ndarray) -> np.ndarray:
    """Longitudes that rise (or fall) without a jump; begun in -180..180."""
    if x.size < 2 or not np.isfinite(x).all():
        return x
    rolled = np.unwrap(x, period=AROUND)
    return rolled - AROUND * np.floor((rolled.min() + 180.0) / AROUND + 1e-9)


def _check_axis(name: str, axis: np.ndarray) -> None:
    if axis.ndim != 1 or axis.size < 2:
        raise GridError(f"The {name} axis has the shape {axis.shape}: at least two cells along one dimension are expected.")
    if not np.isfinite(axis).all():
        raise GridError(f"{(~np.isfinite(axis)).sum()} places of the {name} axis are missing.")
    steps = np.diff(axis)
    if not ((steps > 0).all() or (steps < 0).all()):
        raise GridError(f"The {name} axis turns around: it should rise or fall all the way.")
    step = np.median(steps)
    # Latitudes of a Gaussian grid are uneven by up to some percent, and are served as they are.
    if np.abs(steps / step - 1).max() > 0.1:
        raise GridError(f"The {name} axis has steps from {steps.min():g} to {steps.max():g}: even steps are expected.")


@lru_cache(maxsize=64)
def known_crs(crs: str) -> str:
    """A CRS as by `alm_core.grid.normal_crs`; EASE-Grids by their code however they are written.

    Thousands of files declare the same one, so it is remembered: PROJ takes milliseconds to name it.
    """
    code = ease_code(crs)
    return f"EPSG:{code}" if code else normal_crs(crs)


@lru_cache(maxsize=64)
def is_degrees(crs: str) -> bool:
    """True for longitude and latitude."""
    return CRS.from_user_input(crs).is_geographic


@lru_cache(maxsize=64)
def agree(declared: str, wanted: str) -> bool:
    """True where the CRS of a file is the one that a study names; any two of longitude and latitude agree.

    Examples
    --------
    >>> agree("+proj=laea +lat_0=90 +datum=WGS84", "EPSG:6931"), agree("EPSG:6931", "EPSG:3408")
    (True, False)
    """
    if known_crs(declared) == known_crs(wanted) or (is_degrees(declared) and is_degrees(wanted)):
        return True
    return CRS.from_user_input(declared).equals(CRS.from_user_input(wanted), ignore_axis_order=True)


@lru_cache(maxsize=64)
def ease_code(crs: str) -> int | None:
    """EPSG code of an EASE-Grid, however the CRS is written; None for any other CRS.

    Examples
    --------
    >>> ease_code("+proj=laea +lat_0=90 +lon_0=0 +R=6371228 +units=m"), ease_code("EPSG:6933"), ease_code("EPSG:32645")
    (3408, 6933, None)
    """
    try:
        found = CRS.from_user_input(crs)
    except CRSError:
        return None  # named by `normal_crs`
    if not found.is_projected or found.coordinate_operation is None or found.ellipsoid is None:
        return None
    method = found.coordinate_operation.method_name
    numbers = {one.name: one.value for one in found.coordinate_operation.params}
    if any(abs(value) > 1e-9 for name, value in numbers.items() if not name.startswith("Latitude")):
        return None  # another meridian, or false eastings
    radius = found.ellipsoid.semi_major_metre
    family = next((one for one, wanted in RADIUS_OF_FAMILY.items() if abs(radius - wanted) < 1.0), None)
    if family is None:
        return None
    if method.startswith("Lambert Azimuthal Equal Area"):
        latitude = numbers.get("Latitude of natural origin", 0.0)
        return {90.0: CODES[family][0], -90.0: CODES[family][1]}.get(latitude)
    cylindrical = method.startswith("Lambert Cylindrical Equal Area")
    return CODES[family][2] if cylindrical and abs(numbers.get("Latitude of 1st standard parallel", 0.0)) == 30.0 else None


def check_ease_grid(crs: str, cell: float) -> None:
    """Refuse a CRS of one EASE-Grid on cells of the other: they miss each other by kilometres.

    Parameters
    ----------
    cell : float
        Cell width, m.

    Raises
    ------
    CrsError

    Examples
    --------
    >>> check_ease_grid("EPSG:6931", 25000.0)
    """
    code = ease_code(crs)
    if code is None:
        return
    family = 1 if code in CODES[1] else 2
    fits = {
        1: any(abs(cell / one - 1) < CELL_TOLERANCE for one in CELLS_OF_EASE_1),
        2: any(abs(cell / one - 1) < CELL_TOLERANCE for one in CELLS_OF_EASE_2),
    }
    if fits[family] or not fits[3 - family]:
        return
    codes = {number: "EPSG:{} (north), {} (south) or {} (global)".format(*three) for number, three in CODES.items()}
    raise CrsError(
        f"The CRS is that of EASE-Grid {family} ({CRS.from_user_input(crs).name}), and the cells of {cell:.2f} m are those of "
        f"EASE-Grid {3 - family}: the two miss each other by kilometres. Look up which one the product is on; cells of "
        f"EASE-Grid {3 - family} go with {codes[3 - family]}."
    )
