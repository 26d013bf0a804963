"""Rules of a study with time slices: which slices go together, and which layer may stand for which years.

A map of 1980-1984 made from a climatology of 1991-2020 looks right and shows another climate. So every layer of climate or
vegetation must say how it changes with the slices, or why it does not. Pure functions over plain values: the models of
study.toml ask them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

PLACEHOLDER = "{slice}"
"""What stands for the name of the slice in the path of a layer."""
CHANGING_GROUPS = ("climate", "vegetation")
"""Groups whose layers differ between slices unless the study says why they do not."""


def slices_fault(slices: Sequence[Any]) -> str:
    """What is wrong with a list of slices (`name`, `first_year`, `last_year` each); empty where nothing is.

    Slices follow one another in time without a gap or an overlap, so that every year between the first and the last belongs
    to exactly one of them.

    Examples
    --------
    >>> from types import SimpleNamespace as Slice
    >>> slices_fault([Slice(name="a", first_year=1980, last_year=1984), Slice(name="b", first_year=1990, last_year=1994)])
    'no slice has the years 1985 to 1989, between a and b: slices must follow one another; close the gap or name a slice for it'
    """
    names = [one.name.casefold() for one in slices]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        return f"slices share the name {', '.join(doubled)}: the name becomes a folder, so each needs one of its own"
    for earlier, later in pairwise(slices):
        between = f"between {earlier.name} and {later.name}"
        if later.first_year <= earlier.last_year:
            if later.last_year < earlier.first_year:
                return f"{later.name} stands after {earlier.name} and is earlier: give the slices in their order in time"
            last = min(earlier.last_year, later.last_year)
            return (
                f"two slices, {earlier.name} and {later.name}, have {_years(max(later.first_year, earlier.first_year), last)}: a "
                "measurement can belong to one only; change first_year or last_year"
            )
        if later.first_year > earlier.last_year + 1:
            return (
                f"no slice has {_years(earlier.last_year + 1, later.first_year - 1)}, {between}: slices must follow one "
                "another; close the gap or name a slice for it"
            )
    return ""


def _years(first: int, last: int) -> str:
    return f"the year {first}" if first == last else f"the years {first} to {last}"


def changes(layer: Any) -> bool:
    """True where a layer (an entry of ``[[covariates]]``) has a raster or a band for each slice."""
    return PLACEHOLDER in layer.path or bool(layer.band_of_slice)


def layer_fault(layer: Any, names: Sequence[str]) -> str:
    """What is wrong with the way in which a layer says how it changes; empty where nothing is.

    Parameters
    ----------
    layer : CovariateOptions
    names : sequence of str
        Names of the slices; none where the study has no slices.
    """
    if not names:
        return _without_slices(layer)
    if not changes(layer):
        return _climatology(layer)
    if layer.static:
        return (
            f"it gives a reason to be static and changes with the slices: remove `static`, or {PLACEHOLDER} and `band_of_slice`"
        )
    if layer.period:
        return "it changes with the slices, so each raster has the years of its slice: remove `period`"
    return _bands(layer.band_of_slice, layer.path, names)


def _without_slices(layer: Any) -> str:
    if changes(layer):
        return f"it has {PLACEHOLDER} in its path or `band_of_slice`, but the study has no [[slices]]: name them, or one raster"
    return ""


def _climatology(layer: Any) -> str:
    """Why a layer that is the same in every slice is refused; empty where it may stay."""
    if layer.static or (layer.group not in CHANGING_GROUPS and not layer.period):
        return ""
    years = f"a mean of {layer.period[0]} to {layer.period[1]}" if layer.period else f"one raster of the group {layer.group}"
    return (
        f"it is {years} and would stand for every slice: a climatology can't show how slices differ. Give a raster for each "
        f'slice (path = "..._{PLACEHOLDER}.tif") or a band (band_of_slice), or say in `static` why it does not change'
    )


def _bands(bands: Mapping[str, int], path: str, names: Sequence[str]) -> str:
    if not bands:
        return ""
    if PLACEHOLDER in path:
        return f"it has {PLACEHOLDER} in its path and `band_of_slice`: give one of them"
    if set(bands) != set(names):
        absent, unknown = sorted(set(names) - set(bands)), sorted(set(bands) - set(names))
        told = [f"lacks {', '.join(absent)}"] if absent else []
        told += [f"names {', '.join(unknown)}, which is no slice of the study"] if unknown else []
        return f"band_of_slice {' and '.join(told)}; give one band for each of {', '.join(names)}"
    doubled = sorted({band for band in bands.values() if list(bands.values()).count(band) > 1})
    if doubled:
        return (
            f"band {doubled[0]} stands for several slices: a climatology can't show how slices differ; give each slice a band of "
            "its own"
        )
    return ""


def section_faults(options: Any, names: Sequence[str]) -> list[str]:
    """What other sections of a study say that does not go with its slices, or with its having none."""
    main, repeats = options.map.main_slice, options.sites.repeats if options.sites else ""
    known = ", ".join(names) or "none: the study has no [[slices]]"
    strangers = [one for one in options.reference_maps if one.slice and one.slice not in names]
    told = [f"reference_maps {one.name}: there is no slice {one.slice!r}, but {known}" for one in strangers]
    if not names:
        if main:
            told.append(f"map.main_slice is {main!r}, but the study has no [[slices]]: remove it")
        if repeats == "slice_mean":
            told.append("sites.repeats is slice_mean, but the study has no [[slices]]: choose mean or separate")
        if PLACEHOLDER in (options.study.truth or ""):
            told.append(f"study.truth has {PLACEHOLDER} in its path, but the study has no [[slices]]: name one raster")
        return told
    if main and main not in names:
        told.append(f"map.main_slice is {main!r}: one of {', '.join(names)} is expected")
    if options.map.time:
        told.append("map.time is given in a study with slices: each map has the years of its slice; remove it")
    if repeats == "mean":
        told.append("sites.repeats is mean: rows of different slices must not be averaged; choose slice_mean or separate")
    if options.kriging.enabled or options.kriging.residual:
        told.append("kriging knows no time and can't be used with [[slices]]: set its `enabled` and `residual` to false")
    return told


def placed(layer: Any, name: str) -> tuple[str, int]:
    """Path and band of a layer in a slice; for a layer that does not change, those of every slice.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> placed(SimpleNamespace(path="thaw_{slice}.tif", band=1, band_of_slice={}), "1980-1984")
    ('thaw_1980-1984.tif', 1)
    """
    return layer.path.replace(PLACEHOLDER, name), layer.band_of_slice.get(name, layer.band)
