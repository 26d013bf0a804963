"""Regions that titles name, and how far in space and time well-known sources reach."""

from __future__ import annotations

import re
from dataclasses import dataclass

from alm_core.checking.phrases import FLAGS, mentions


@dataclass(frozen=True)
class Region:
    """A named region and a generous box around it (west, south, east, north)."""

    name: str
    pattern: str
    box: tuple[float, float, float, float]


REGIONS = (
    Region("Qinghai-Tibet Plateau", r"青藏高原|qinghai.{0,3}tibet|tibetan plateau|plateau of tibet", (66.0, 24.0, 107.0, 42.0)),
    Region("Qilian Mountains", r"祁连山|qilian", (92.0, 34.0, 106.0, 42.0)),
    Region("Tien Shan", r"天山|tien ?shan|tianshan", (66.0, 38.0, 97.0, 47.0)),
    Region("north-east China", r"东北多年冻土|大兴安岭|northeast(?:ern)? china", (114.0, 38.0, 136.0, 54.5)),
    Region("Mongolia", r"蒙古国|蒙古高原|mongolia", (86.0, 40.0, 121.0, 54.0)),
    Region("Alaska", r"阿拉斯加|alaska", (-190.0, 50.0, -128.0, 73.0)),
    Region("Canada", r"加拿大|canada", (-142.0, 41.0, -51.0, 84.0)),
    Region("Siberia", r"西伯利亚|siberia|yakut", (58.0, 48.0, 191.0, 82.0)),
    Region("Svalbard", r"斯瓦尔巴|svalbard", (8.0, 74.0, 36.0, 82.0)),
    Region("Greenland", r"格陵兰|greenland", (-75.0, 58.0, -10.0, 85.0)),
    Region("Alps", r"阿尔卑斯|\balps\b|alpine arc", (3.0, 42.0, 18.0, 50.0)),
    Region("Antarctica", r"南极|antarctic", (-180.0, -90.0, 180.0, -59.0)),
    Region("China", r"中国(?!科学院)|\bchina\b", (72.0, 3.0, 136.0, 54.5)),
)

ALL_LONGITUDES = re.compile(
    r"环北极|泛北极|北极圈|pan-?arctic|circum-?arctic|circumpolar|arctic circle|北半球|northern hemisphere|全球|"
    r"\bglobal\b|worldwide|north of \d+|北纬\s*\d+(?:\.\d+)?\s*[°度]\s*[N]?\s*以北",
    FLAGS,
)
NORTH_OF = re.compile(r"north of (\d+(?:\.\d+)?)\s*°?|北纬\s*(\d+(?:\.\d+)?)\s*[°度]\s*以北", re.IGNORECASE)


@dataclass(frozen=True)
class Source:
    """A public data source: where it ends, when it begins, and what may stand in for it."""

    name: str
    pattern: str
    south: float = -90.0
    north: float = 90.0
    first_year: int = 0
    substitute: str = r"(?!)"
    """Pattern of sources of the same kind; one of them beside it means that the gap was filled."""


SOURCES = (
    Source(
        "SRTM",
        r"\bSRTM\b|shuttle radar topography",
        south=-56,
        north=60,
        substitute=r"\b(?:ArcticDEM|ASTER|GMTED|MERIT|Copernicus|GLO-?30|GTOPO|AW3D|ALOS|TanDEM|FABDEM)",
    ),
    Source("TRMM", r"\bTRMM\b", south=-50, north=50, first_year=1998, substitute=r"\bGPM\b|IMERG|ERA5|GPCC"),
    Source("CHIRPS", r"\bCHIRPS\b", south=-50, north=50, first_year=1981, substitute=r"ERA5|GPCC|WorldClim"),
    Source("CMORPH", r"\bCMORPH\b", south=-60, north=60, first_year=1998, substitute=r"ERA5|GPCC"),
    Source("MODIS", r"\bM[OY]D\d\d|\bMCD\d\d|\bMODIS\b", first_year=2000, substitute=r"AVHRR|GIMMS|Landsat"),
    Source("VIIRS", r"\bVIIRS\b", first_year=2012, substitute=r"MODIS|AVHRR"),
    Source("Sentinel-1", r"Sentinel[-‑–\s]?1\b", first_year=2014, substitute=r"ASAR|PALSAR|ERS-"),
    Source("Sentinel-2", r"Sentinel[-‑–\s]?2\b", first_year=2015, substitute=r"Landsat|MODIS"),
    Source("AMSR2", r"\bAMSR-?2\b", first_year=2012, substitute=r"AMSR-?E|SSM/?I|SMMR|MWRI"),
    Source("AMSR-E", r"\bAMSR-?E\b", first_year=2002, substitute=r"SSM/?I|SMMR"),
    Source("SMOS", r"\bSMOS\b", first_year=2010),
    Source("SMAP", r"\bSMAP\b", first_year=2015),
    Source("MWRI", r"\bMWRI\b", first_year=2010, substitute=r"AMSR-?E|SSM/?I|SMMR"),
    Source("GRACE", r"\bGRACE\b", first_year=2002),
)

CLIMATOLOGIES = (("WorldClim", r"WorldClim", "1970-2000", r"historical monthly|monthly time series|逐月历史|历史月"),)
"""Name, pattern, the years it averages, and words that mean its time series instead."""

TIME_VARYING_CLIMATE = re.compile(
    r"ERA-?5|ERA-Interim|\bCRU\b|CRU[- ]?TS|MERRA|JRA-?55|NCEP|GLDAS|CMFD|TerraClimate|CHELSA-?cruts|"
    r"meteorological forcing|气象.{0,6}驱动",
    FLAGS,
)


def regions_named(text: str) -> list[Region]:
    """Regions that a text names."""
    return [region for region in REGIONS if mentions(region.pattern, text)]


def named_southern_limit(text: str) -> float | None:
    """The latitude of "north of 45 N", where a text says so."""
    match = NORTH_OF.search(text)
    return float(match[1] or match[2]) if match else None


def sources_named(text: str) -> list[Source]:
    """Well-known sources that a text names, without those whose gap another source fills."""
    found = [source for source in SOURCES if mentions(source.pattern, text)]
    return [source for source in found if not mentions(source.substitute, text)]
