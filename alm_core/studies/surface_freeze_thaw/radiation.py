"""What a microwave radiometer sees of the ground: brightness temperatures at 18.7 and 36.5 GHz, V and H.

Zero-order radiative transfer (tau-omega; Mo et al. 1982, Journal of Geophysical Research 87:11229) through snow, vegetation and
cloud over a rough soil:

- permittivity of the soil: refractive mixing of minerals, water, ice, air (Birchak et al. 1974, Proceedings of the IEEE 62:93);
  water after the single Debye relaxation of Ulaby, Moore and Fung (1986, Microwave Remote Sensing III, appendix E);
- reflectivity: Fresnel, roughened after Wang and Choudhury (1981, Journal of Geophysical Research 86:5277).

A simulation for demos: no multiple scattering, no emission from depth, one incidence angle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alm_core.studies.surface_freeze_thaw.ground import GroundDays, phase
from alm_core.studies.surface_freeze_thaw.land import Plateau

KELVIN = np.float32(273.15)
INCIDENCE = np.radians(55.0)
COSINE, SINE = float(np.cos(INCIDENCE)), float(np.sin(INCIDENCE))
MINERAL, ICE = 4.7 + 0.05j, 3.15 + 0.002j
"""Relative permittivity of solids and of ice."""
BOUND_WATER = 0.015, 0.0012
"""Water that does not freeze, m3 m-3: of every soil, and for each percent of clay."""


@dataclass(frozen=True)
class Band:
    """What differs between frequencies.

    Attributes
    ----------
    frequency_ghz : float
    roughness, mixing : float
        Loss of reflectivity, and part of one polarisation that roughness turns into the other.
    canopy, canopy_albedo : float
        Optical depth for each kg m-2 of water in plants; single scattering albedo.
    snow_dry, snow_wet, snow_albedo : float
        Optical depth for each mm of water equivalent; single scattering albedo of dry snow.
    cloud : float
        Optical depth of a cloudy day.
    """

    frequency_ghz: float
    roughness: float
    mixing: float
    canopy: float
    canopy_albedo: float
    snow_dry: float
    snow_wet: float
    snow_albedo: float
    cloud: float


# dry snow lowers 36.5 GHz by about 0.2 K for each mm, as in Chang et al. (1987, Annals of Glaciology 9:39)
BANDS = {
    "18": Band(18.7, 0.25, 0.15, 0.10, 0.05, 0.00012, 0.02, 0.60, 0.008),
    "36": Band(36.5, 0.35, 0.22, 0.16, 0.06, 0.00080, 0.05, 0.85, 0.025),
}
ORBITS = {"A": "ascending", "D": "descending"}
CHANNELS = tuple(band + polarisation for band in BANDS for polarisation in "VH")
SHIFTS = {"A": 0.55, "D": -0.50}
"""Overpasses after noon (ascending) and after midnight (descending), in parts of the half daily range."""


def water_permittivity(frequency_ghz: float, celsius: np.ndarray) -> np.ndarray:
    """Relative permittivity of pure water, complex64, loss positive.

    Examples
    --------
    >>> complex(water_permittivity(18.7, np.array([20.0]))[0]).real > 30
    True
    """
    t = np.clip(celsius, -5.0, 40.0)
    static = 88.045 - 0.4147 * t + 6.295e-4 * t**2 + 1.075e-5 * t**3
    relaxation = 1.1109e-10 - 3.824e-12 * t + 6.938e-14 * t**2 - 5.096e-16 * t**3  # 2 pi times the relaxation time, s
    return (4.9 + (static - 4.9) / (1.0 - 1j * frequency_ghz * 1e9 * relaxation)).astype(np.complex64)


def soil_permittivity(
    frequency_ghz: float, celsius: np.ndarray, water: np.ndarray, ice: np.ndarray, porosity: np.ndarray
) -> np.ndarray:
    """Relative permittivity of soil by refractive mixing, complex64.

    Parameters
    ----------
    celsius : ndarray
        Temperature.
    water, ice, porosity : ndarray
        m3 m-3.

    Examples
    --------
    >>> warm = soil_permittivity(18.7, np.array([5.0]), np.array([0.25]), np.array([0.0]), np.array([0.45]))
    >>> cold = soil_permittivity(18.7, np.array([-5.0]), np.array([0.02]), np.array([0.23]), np.array([0.45]))
    >>> bool(abs(cold[0]) < 0.6 * abs(warm[0]))
    True
    """
    index = (1.0 - porosity) * np.complex64(np.sqrt(MINERAL)) + ice * np.complex64(np.sqrt(ICE)) + (porosity - water - ice)
    index = index + water * np.sqrt(water_permittivity(frequency_ghz, celsius))
    return index * index


def reflectivity(permittivity: np.ndarray, band: Band) -> tuple[np.ndarray, np.ndarray]:
    """Of a rough surface at V and H; V is never the larger."""
    root = np.sqrt(permittivity - SINE**2)
    horizontal = np.abs((COSINE - root) / (COSINE + root)) ** 2
    vertical = np.abs((permittivity * COSINE - root) / (permittivity * COSINE + root)) ** 2
    damping = np.float32(np.exp(-band.roughness))
    kept, turned = np.float32(1.0 - band.mixing), np.float32(band.mixing)
    return damping * (kept * vertical + turned * horizontal), damping * (kept * horizontal + turned * vertical)


def through(
    below: np.ndarray, reflected: np.ndarray, depth: np.ndarray, albedo: float | np.ndarray, kelvin: np.ndarray
) -> np.ndarray:
    """Radiation above a layer: what passes it, and what it emits upwards and, by reflection, downwards.

    Parameters
    ----------
    below : ndarray
        Brightness temperature under the layer, K.
    reflected : ndarray
        Reflectivity of what is under it.
    depth : ndarray
        Optical depth at nadir.
    albedo : float or ndarray
        Single scattering albedo.
    kelvin : ndarray
        Temperature of the layer, K.
    """
    passing = np.exp(-depth / COSINE)
    own = kelvin * (1.0 - albedo) * (1.0 - passing)
    return below * passing + own * (1.0 + reflected * passing)


def brightness(land: Plateau, ground: GroundDays, orbit: str) -> dict[str, np.ndarray]:
    """Brightness temperatures without noise at one overpass of every day.

    Parameters
    ----------
    land : Plateau
    ground : GroundDays
    orbit : {"A", "D"}

    Returns
    -------
    dict
        ``18V``, ``18H``, ``36V``, ``36H``: float32 ``[day, cell]``, K.
    """
    shift = np.float32(SHIFTS[orbit])
    celsius, liquid = phase(ground.enthalpy + shift * ground.swing, ground.latent)
    bound = np.minimum((BOUND_WATER[0] + BOUND_WATER[1] * land.clay).astype(np.float32), 0.8 * ground.water)
    water = bound + (ground.water - bound) * liquid
    ice = ground.water - water
    air = ground.air + shift * ground.swing
    plants = plant_water(land, ground)
    found = {}
    for name, band in BANDS.items():
        soil = soil_permittivity(band.frequency_ghz, celsius, water, ice, land.porosity.astype(np.float32))
        snow, albedo = snow_layer(band, ground, air)
        for polarisation, reflected in zip("VH", reflectivity(soil, band), strict=True):
            value = (celsius + KELVIN) * (1.0 - reflected)
            value = through(value, reflected, snow, albedo, np.minimum(air, 0.0) + KELVIN)
            reflected = reflected * np.exp(-2.0 * snow / COSINE)
            value = through(value, reflected, band.canopy * plants, band.canopy_albedo, air + KELVIN)
            reflected = reflected * np.exp(-2.0 * band.canopy * plants / COSINE)
            cloud = band.cloud * np.maximum(ground.cloud, 0.0)
            found[name + polarisation] = through(value, reflected, cloud, 0.0, air - 8.0 + KELVIN).astype(np.float32)
    return found


def plant_water(land: Plateau, ground: GroundDays) -> np.ndarray:
    """Water in plants, kg m-2: grass withers in winter, forest hardly."""
    grass = (0.1 + 1.4 * land.vegetation).astype(np.float32) * (0.6 + 0.4 * ground.season)
    return grass + (7.0 * land.forest).astype(np.float32) * (0.9 + 0.1 * ground.season)


def snow_layer(band: Band, ground: GroundDays, air: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Optical depth and albedo of the snow: dry snow scatters, wet snow absorbs and emits."""
    wet = air > 0.5
    depth = np.minimum(ground.snow * np.where(wet, np.float32(band.snow_wet), np.float32(band.snow_dry)), np.float32(3.0))
    return depth, np.where(wet, np.float32(0.05), np.float32(band.snow_albedo))
