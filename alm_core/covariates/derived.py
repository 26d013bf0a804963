"""The recipes of derived layers: what each needs, and how a block of it is computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from alm_core.covariates import backscatter, climate, cold_recipes, spectral, terrain, terrain_recipes
from alm_core.covariates.layers import DerivedSource
from alm_core.errors import DomainError, StudyError
from alm_core.grid import Block, Grid

Arrays = Mapping[str, Any]


@dataclass(frozen=True)
class Recipe:
    """How one kind of derived layer is made.

    Attributes
    ----------
    single, stacks : tuple of str
        Roles that take one layer, and roles that take a list of layers; all must be given.
    optional : tuple of str
        Roles that may be given; one layer each, except those also named in `stacks`.
    options : tuple of str
        Option names that may be given.
    halo : int
        Cells around a block that must be read.
    unit : str
        Unit, where the study gives none.
    compute : callable
        ``compute(inputs, place, **options) -> float32 [row, column]``; `inputs` holds ``[row, column]`` for single roles
        and ``[layer, row, column]`` for stacks, each with its halo.
    whole : bool
        Needs the whole grid as its one block (`alm_core.covariates.whole_layers`).
    """

    single: tuple[str, ...]
    compute: Callable[..., np.ndarray]
    stacks: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    halo: int = 0
    unit: str = ""
    whole: bool = False


@dataclass(frozen=True)
class Place:
    """Where a block lies, for recipes that need sizes in metres or directions, and the names behind each role.

    `shared` is what layers computed from the same whole grid leave for each other.
    """

    grid: Grid
    block: Block
    names: Mapping[str, tuple[str, ...]]
    shared: dict[str, Any] = field(default_factory=dict)

    def cell_size(self) -> tuple[np.ndarray, np.ndarray]:
        """Width and height in metres of the cells of each row of the block."""
        return self.grid.cell_size_metres(slice(self.block.row_start, self.block.row_stop))


def _ndvi(inputs: Arrays, place: Place) -> np.ndarray:
    return spectral.ndvi(inputs["nir"], inputs["red"])


def _ndwi(inputs: Arrays, place: Place, **options: Any) -> np.ndarray:
    return spectral.ndwi(inputs["nir"], green=inputs.get("green"), swir=inputs.get("swir"), **options)


def _soil_moisture_change(inputs: Arrays, place: Place, **options: Any) -> np.ndarray:
    scenes = place.names["vv"]
    target = [scenes.index(name) for name in place.names["target"]] if "target" in place.names else None
    bounds = {name: inputs[name] for name in ("minimum", "maximum") if name in inputs}
    return backscatter.soil_moisture_change(inputs["vv"], target=target, **(options | bounds))


def _degree_days(inputs: Arrays, place: Place, **options: Any) -> np.ndarray:
    return climate.degree_days(inputs["temperature"], **options)


def _slope(inputs: Arrays, place: Place, **options: Any) -> np.ndarray:
    return terrain.slope(inputs["elevation"], *place.cell_size(), **options)


def _facing(function: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    def compute(inputs: Arrays, place: Place, *, north: str = "true", **options: Any) -> np.ndarray:
        if north not in ("true", "grid"):
            raise StudyError(f"north is {north!r}; `true` or `grid` is expected.")
        azimuth = terrain.true_north(place.grid, place.block) if north == "true" else 0.0
        return function(inputs["elevation"], *place.cell_size(), north_azimuth=azimuth, **options)

    return compute


def _x(inputs: Arrays, place: Place) -> np.ndarray:
    columns = slice(place.block.column_start, place.block.column_stop)
    return np.broadcast_to(place.grid.x[columns], place.block.shape).astype(np.float32)


def _y(inputs: Arrays, place: Place) -> np.ndarray:
    rows = slice(place.block.row_start, place.block.row_stop)
    return np.broadcast_to(place.grid.y[rows, None], place.block.shape).astype(np.float32)


def _constant(inputs: Arrays, place: Place, *, value: float = np.nan, site_column: str = "") -> np.ndarray:
    if not np.isfinite(value) or not site_column:
        raise StudyError(
            "A constant layer needs options `value` (what the map is made for) and `site_column` (where sites differ), "
            'for example {value = 10.0, site_column = "depth_top"}.'
        )
    return np.full(place.block.shape, value, np.float32)


CHANGE_OPTIONS = (
    "percentiles",
    "minimum",
    "maximum",
    "statistic",
    "unit",
    "minimum_scenes",
    "minimum_contrast_db",
)


def _local(compute: Callable[..., np.ndarray], unit: str) -> Recipe:
    return Recipe(single=("elevation",), options=("family",), halo=terrain_recipes.LOCAL_HALO, unit=unit, compute=compute)


def _whole(compute: Callable[..., np.ndarray], unit: str, *options: str) -> Recipe:
    return Recipe(
        single=("elevation",), options=(*terrain_recipes.FLOW_OPTIONS, *options), unit=unit, compute=compute, whole=True
    )


TERRAIN_RECIPES: dict[str, Recipe] = {
    "plan_curvature": _local(terrain_recipes.plan_curvature, "m-1"),
    "profile_curvature": _local(terrain_recipes.profile_curvature, "m-1"),
    "convergence_index": _local(terrain_recipes.convergence_index, "1"),
    "filled_elevation": _whole(terrain_recipes.filled_elevation, "m"),
    "closed_depressions": _whole(terrain_recipes.closed_depressions, "m"),
    "catchment_area": _whole(terrain_recipes.catchment_area, "m2", "exponent", "logarithm"),
    "topographic_wetness_index": _whole(terrain_recipes.topographic_wetness_index, "1", "exponent", "family"),
    "ls_factor": _whole(terrain_recipes.ls_factor, "1", "exponent", "family"),
    "height_above_channels": _whole(terrain_recipes.height_above_channels, "m", "channel_order", "family"),
    "valley_depth": _whole(terrain_recipes.valley_depth, "m", "channel_order", "family"),
    "relative_slope_position": _whole(terrain_recipes.relative_slope_position, "1", "channel_order", "family"),
}
RECIPES: dict[str, Recipe] = TERRAIN_RECIPES | {
    "ndvi": Recipe(single=("nir", "red"), compute=_ndvi),
    "ndwi": Recipe(single=("nir",), optional=("green", "swir"), options=("definition",), compute=_ndwi),
    "soil_moisture_change": Recipe(
        single=(),
        stacks=("vv", "target"),
        optional=("target", "minimum", "maximum"),
        options=CHANGE_OPTIONS,
        unit="m3 m-3",
        compute=_soil_moisture_change,
    ),
    "degree_days": Recipe(
        single=(), stacks=("temperature",), options=("kind", "method", "unit"), unit="degree_Celsius day", compute=_degree_days
    ),
    "annual_degree_days": Recipe(
        single=("mean", "range"),
        options=("kind", "range_of", "unit"),
        unit="degree_Celsius day",
        compute=cold_recipes.annual_degree_days,
    ),
    "n_factor": Recipe(single=("surface", "air"), unit="1", compute=cold_recipes.n_factor),
    "frost_number": Recipe(
        single=("freezing", "thawing"),
        optional=("soil_factor",),
        options=("soil_factor",),
        unit="1",
        compute=cold_recipes.frost_number,
    ),
    "ttop": Recipe(
        single=("freezing", "thawing"),
        optional=cold_recipes.TTOP_FACTORS,
        options=(*cold_recipes.TTOP_FACTORS, "year_days"),
        unit="degree_Celsius",
        compute=cold_recipes.ttop,
    ),
    "stefan": Recipe(
        single=("thawing",),
        optional=cold_recipes.STEFAN_FACTORS,
        options=cold_recipes.STEFAN_FACTORS,
        unit="m",
        compute=cold_recipes.stefan,
    ),
    "x": Recipe(single=(), compute=_x),
    "y": Recipe(single=(), compute=_y),
    "constant": Recipe(single=(), options=("value", "site_column"), compute=_constant),
    "slope": Recipe(single=("elevation",), options=("method",), halo=1, unit="degree", compute=_slope),
    "aspect": Recipe(single=("elevation",), options=("method", "north"), halo=1, unit="degree", compute=_facing(terrain.aspect)),
    "northness": Recipe(
        single=("elevation",),
        options=("method", "north", "weight_by_slope"),
        halo=1,
        unit="1",
        compute=_facing(terrain.northness),
    ),
    "eastness": Recipe(
        single=("elevation",), options=("method", "north", "weight_by_slope"), halo=1, unit="1", compute=_facing(terrain.eastness)
    ),
}


def role_names(source: DerivedSource) -> dict[str, tuple[str, ...]]:
    """Layer names of each role of a derived layer, always as a tuple."""
    return {role: (names,) if isinstance(names, str) else tuple(names) for role, names in source.inputs.items()}


def derived_faults(derived: Sequence[DerivedSource], known: Sequence[str]) -> list[StudyError]:
    """Every fault of every derived layer, before anything is computed; nothing is raised.

    Parameters
    ----------
    derived : sequence of DerivedSource
        In any order; one may be computed from another.
    known : sequence of str
        Names of the raster layers.
    """
    names = {*known, *(source.name for source in derived)}
    faults = [StudyError(f"Derived layer {source.name}: {text}") for source in derived for text in _faults(source, names)]
    if not faults and len(in_order(derived, known)) < len(derived):
        circle = [source.name for source in derived if source not in in_order(derived, known)]
        faults.append(StudyError(f"Derived layers {', '.join(circle)} are computed from each other. Break the circle."))
    return faults


def _faults(source: DerivedSource, names: set[str]) -> list[str]:
    recipe = RECIPES.get(source.method)
    if recipe is None:
        return [f"method {source.method!r} is not known. Use one of {', '.join(RECIPES)}."]
    needed = {*recipe.single, *recipe.stacks} - set(recipe.optional)
    valid = sorted({*recipe.single, *recipe.stacks, *recipe.optional})
    found = []
    for role in sorted(needed - set(source.inputs)):
        found.append(f"the input `{role}` is missing; {source.method} takes {', '.join(valid)}.")
    for role, given in role_names(source).items():
        if role not in valid:
            found.append(f"no such input `{role}`; {source.method} takes {', '.join(valid)}.")
        elif role not in recipe.stacks and len(given) != 1:
            found.append(f"the input `{role}` takes one layer, {len(given)} are given.")
        found += [f"its input `{name}` is not a covariate of the study." for name in given if name not in names]
    for option in sorted(set(source.options) - set(recipe.options)):
        found.append(f"no such option `{option}`; {source.method} takes {', '.join(recipe.options) or 'none'}.")
    return found + ([] if found else _special_faults(source))


def _special_faults(source: DerivedSource) -> list[str]:
    """Run the recipe on one cell of zeros: it checks its own options, and says what is wrong in its own words."""
    roles = role_names(source)
    strangers = [name for name in roles.get("target", ()) if name not in roles.get("vv", ())]
    if strangers:
        return [f"target scene `{name}` is not in `vv`." for name in strangers]
    grid = Grid(None, (1.0, 0.0, 0.0, 0.0, -1.0, 1.0), (1, 1))
    try:
        compute_block(source, next(grid.blocks(1)), grid, lambda name, halo: np.zeros((1 + 2 * halo, 1 + 2 * halo), np.float32))
    except (StudyError, DomainError) as fault:
        return [str(fault)]
    except (TypeError, ValueError) as fault:
        return [f"an option has a wrong value ({fault}). Options given: {dict(source.options)}."]
    return []


def in_order(derived: Sequence[DerivedSource], known: Sequence[str]) -> list[DerivedSource]:
    """The derived layers so ordered that each comes after those that it is computed from; circles are left out."""
    ready, ordered, waiting = set(known), [], list(derived)
    while waiting:
        now = [source for source in waiting if set(source.input_names) <= ready]
        if not now:
            break
        ordered += now
        ready |= {source.name for source in now}
        waiting = [source for source in waiting if source not in now]
    return ordered


def compute_block(source: DerivedSource, block: Block, grid: Grid, read: Callable[[str, int], np.ndarray]) -> np.ndarray:
    """One block of a derived layer, float32 ``[row, column]``.

    Parameters
    ----------
    source : DerivedSource
        What to compute.
    block : Block
        Where, on `grid`.
    grid : Grid
        The study grid.
    read : callable
        ``read(name, halo)`` gives a layer on the block grown by `halo` cells on every side, NaN beyond the grid.
    """
    recipe = RECIPES[source.method]
    roles = role_names(source)
    inputs: dict[str, np.ndarray] = {}
    for role, names in roles.items():
        if role == "target":  # scenes of `vv`, by name: read once
            continue
        layers = [read(name, recipe.halo) for name in names]
        inputs[role] = np.stack(layers) if role in recipe.stacks else layers[0]
    values = recipe.compute(inputs, Place(grid, block, roles), **source.options)
    return np.asarray(values, np.float32)
