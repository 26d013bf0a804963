"""Where sites lie: are the coordinates possible, in the right order, of the right sign; and into longitude and latitude."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from pyproj import CRS, Transformer

from alm_core.errors import SitesError
from alm_core.grid import normal_crs
from alm_core.sites.faults import Faults, name_rows

LONGITUDE_LATITUDE = "EPSG:4326"
BOUNDS_MARGIN_DEGREES = 1.0
"""Sites a little outside the map are no sign of swapped coordinates."""
MOST = 0.5
"""Part of the sites that must lie elsewhere before their order or sign is doubted."""
FEW = 0.05
"""Part of the sites that may have an impossible latitude before it is the columns, not the sites, that are wrong."""


@dataclass
class Coordinates:
    """Longitude and latitude in degrees (NaN where missing) and what was done to get them."""

    longitude: np.ndarray
    latitude: np.ndarray
    notes: list[str] = field(default_factory=list)


def to_longitude_latitude(
    x: np.ndarray,
    y: np.ndarray,
    rows: np.ndarray,
    faults: Faults,
    *,
    crs: str = LONGITUDE_LATITUDE,
    sentinels: tuple[float, ...] = (),
    bounds: tuple[float, float, float, float] | None = None,
) -> Coordinates:
    """Check coordinates and bring them to WGS84 longitude and latitude.

    Parameters
    ----------
    x, y : ndarray [site]
        Longitude and latitude, or easting and northing in `crs`.
    rows : ndarray [site]
        Row of each record in its file, for messages.
    faults : Faults
        Receives impossible, swapped and west-positive coordinates.
    crs : str
        CRS of x and y.
    sentinels : tuple of float
        Numbers that stand for "missing"; they count only where no real coordinate could have them.
    bounds : tuple of float, optional
        West, south, east, north of the map in degrees. Without them swapped or mirrored coordinates are noticed
        only where they are impossible.

    Raises
    ------
    CrsError
        PROJ does not know the CRS.
    """
    crs = longitude_latitude_crs(crs)
    x, y = np.array(x, float), np.array(y, float)
    notes: list[str] = []
    missing_x, missing_y = _equals_any(x, sentinels), _equals_any(y, sentinels)
    if CRS.from_user_input(crs).is_geographic:
        missing = (missing_x & ((x < -180) | (x > 360))) | (missing_y & (np.abs(y) > 90))
    else:
        missing = missing_x & missing_y
    if missing.any():
        notes.append(f"{missing.sum()} site(s) with a sentinel as a coordinate: taken as missing ({name_rows(rows[missing])})")
        x[missing] = y[missing] = np.nan
    known = np.isfinite(x) & np.isfinite(y)
    if not known.all():
        notes.append(f"{(~known).sum()} site(s) without coordinates ({name_rows(rows[~known])})")
    longitude, latitude = _transform(x, y, crs)
    wrong_order = _swapped(longitude, latitude, _transform(y, x, crs), bounds, known)
    if wrong_order:
        faults.add(SitesError, wrong_order)
    else:
        _check_range(longitude, latitude, known, rows, x, y, faults)
        _check_sign(longitude, latitude, known, bounds, faults)
    if crs != LONGITUDE_LATITUDE:
        notes.append(f"coordinates brought from {_short(crs)} to longitude and latitude (EPSG:4326)")
    above = int((longitude > 180).sum())
    if above:
        notes.append(f"{above} longitude(s) above 180 kept as they are")
    longitude, latitude = np.where(known, longitude, np.nan), np.where(known, latitude, np.nan)
    return Coordinates(longitude, latitude, notes)


def longitude_latitude_crs(crs: str) -> str:
    """Write a CRS the same way; WGS84 in either order of its axes (CRS84 of GeoJSON) is `EPSG:4326`."""
    normal = normal_crs(crs)
    same = CRS.from_user_input(normal).equals(CRS.from_user_input(LONGITUDE_LATITUDE), ignore_axis_order=True)
    return LONGITUDE_LATITUDE if same else normal


def _short(crs: str) -> str:
    return crs if len(crs) < 40 else CRS.from_user_input(crs).name


def _equals_any(values: np.ndarray, sentinels: tuple[float, ...]) -> np.ndarray:
    found = np.zeros(values.shape, bool)
    for sentinel in sentinels:
        # float32 files hold -999.9 as -999.90002
        found |= np.isclose(values, sentinel, rtol=1e-6, atol=0)
    return found


def _transform(x: np.ndarray, y: np.ndarray, crs: str) -> tuple[np.ndarray, np.ndarray]:
    if crs == LONGITUDE_LATITUDE:
        return x.copy(), y.copy()
    longitude, latitude = Transformer.from_crs(crs, LONGITUDE_LATITUDE, always_xy=True).transform(x, y)
    return np.asarray(longitude, float), np.asarray(latitude, float)


def _possible(longitude: np.ndarray, latitude: np.ndarray) -> np.ndarray:
    # NaN and inf compare as False
    return (np.abs(latitude) <= 90) & (longitude >= -180) & (longitude <= 360)


def _inside(longitude: np.ndarray, latitude: np.ndarray, bounds: tuple[float, float, float, float]) -> np.ndarray:
    west, south, east, north = bounds
    margin = BOUNDS_MARGIN_DEGREES
    across = (longitude >= west - margin) & (longitude <= east + margin)
    return across & (latitude >= south - margin) & (latitude <= north + margin)


def _swapped(
    longitude: np.ndarray,
    latitude: np.ndarray,
    other_way: tuple[np.ndarray, np.ndarray],
    bounds: tuple[float, float, float, float] | None,
    known: np.ndarray,
) -> str | None:
    """Text of the fault that the two columns are swapped, or None."""
    if not known.any():
        return None
    here, there = _possible(longitude, latitude)[known], _possible(*other_way)[known]
    if bounds is None:
        where, doubtful = "possible", here.mean() < 1 - FEW and there.all()
    else:
        here = here & _inside(longitude, latitude, bounds)[known]
        there = there & _inside(*other_way, bounds)[known]
        where, doubtful = "inside the map", here.mean() < MOST < there.mean()
    if not doubtful:
        return None
    return (
        f"longitude and latitude look swapped: {here.sum()} of {known.sum()} sites are {where} as they are, {there.sum()} "
        "the other way round. Swap columns.longitude and columns.latitude."
    )


def _check_range(
    longitude: np.ndarray, latitude: np.ndarray, known: np.ndarray, rows: np.ndarray, x: np.ndarray, y: np.ndarray, faults: Faults
) -> None:
    bad = known & ~_possible(longitude, latitude)
    if bad.any():
        pairs = [f"({x[index]:g}, {y[index]:g})" for index in np.flatnonzero(bad)]
        faults.add(
            SitesError,
            f"{bad.sum()} site(s) with coordinates that can't be: {name_rows(rows[bad].tolist(), pairs)}. "
            "Expected longitude -180 to 360 and latitude -90 to 90, in this order; check `crs` where they are metres.",
        )


def _check_sign(
    longitude: np.ndarray,
    latitude: np.ndarray,
    known: np.ndarray,
    bounds: tuple[float, float, float, float] | None,
    faults: Faults,
) -> None:
    """Longitudes counted 0 to 360 or positive to the west, told by the bounds of the map."""
    if bounds is None or not known.any():
        return
    here = _inside(longitude, latitude, bounds) & known
    turned = known & (longitude > 180) & ~here & _inside(longitude - 360, latitude, bounds)
    if turned.any():
        faults.add(
            SitesError,
            f"{turned.sum()} longitude(s) run from 0 to 360 while the map lies at {bounds[0]:g} to {bounds[2]:g}. "
            "Subtract 360 from longitudes above 180.",
        )
        return
    if here.sum() >= MOST * known.sum():
        return
    mirrored = _inside(-longitude, latitude, bounds) & known
    raised = _inside(longitude + 360, latitude, bounds) & known
    if mirrored.sum() > MOST * known.sum():
        faults.add(
            SitesError,
            f"longitudes look positive to the west: {here.sum()} of {known.sum()} sites are inside the map as they are, "
            f"{mirrored.sum()} with the sign flipped. Multiply the longitude column by -1.",
        )
    elif raised.sum() > MOST * known.sum():
        faults.add(
            SitesError,
            f"longitudes run from -180 to 180 while the map lies at {bounds[0]:g} to {bounds[2]:g}. "
            "Add 360 to negative longitudes.",
        )
