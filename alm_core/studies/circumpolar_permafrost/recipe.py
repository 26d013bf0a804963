"""Write the whole demo: rasters of eight slices, two site tables, a simulated published map, and two studies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import rasterio
from pyproj import Transformer

from alm_core.errors import StudyError, WorkspaceError
from alm_core.grid import Grid
from alm_core.studies.circumpolar_permafrost.field_sites import ground_table, places, thaw_table
from alm_core.studies.circumpolar_permafrost.land import YEARS, Land, middle, slice_name

DEFAULT_SEED = 11
HALF_WIDTH = 5_300_000.0
"""Metres from the pole to an edge of the grid: 45 N."""
CELL_METRES = {"small": 100_000.0, "medium": 25_000.0}
SITES = {"small": (120, 110), "medium": (420, 260)}
"""Boreholes and thaw probes."""
CRS = "EPSG:3413"
PUBLISHED_CRS, PUBLISHED_CELL = "EPSG:3408", 50_000.0
ZONES = (-3.0, -1.0, 0.0, 1.0)
"""Ground temperatures that part the zones of the published map: continuous (4), discontinuous, sporadic, isolated, none (0)."""
QUICK = {"trees": 40, "rounds": 60, "folds": 3, "points": 200, "bootstrap": 50, "repeats": 1, "combinations": 6, "block": 64}
THOROUGH = {
    "trees": 300,
    "rounds": 400,
    "folds": 5,
    "points": 1000,
    "bootstrap": 300,
    "repeats": 1,
    "combinations": 12,
    "block": 512,
}
EFFORT = {"small": QUICK, "medium": THOROUGH}
STUDIES = {
    "magt": {
        "title": "mean annual ground temperature",
        "unit": "degree_Celsius",
        "target": 'description = "mean annual ground temperature at 10 m"',
        "columns": 'value = "magt_c"\ndepth = "depth_m"\nsurvey = "source"',
        "screening": "depth_minimum_m = 1\ndepth_maximum_m = 40",
        "thresholds": "0.0",
        "labels": '"permafrost", "none"',
        "extent": '[extent] # permafrost: ground at or below 0 degrees\nthreshold = 0.0\nside = "below"\nname = "permafrost"\n',
        "depth": '\n[[derived]] # sensors hang at 1 to 40 m; the map is made for 10 m\nname = "depth"\nmethod = "constant"\n'
        'options = { value = 10.0, site_column = "depth_top" }\nunit = "m"\n',
    },
    "alt": {
        "title": "active layer thickness",
        "unit": "cm",
        "target": 'description = "thickness of the active layer at its deepest"\nminimum = 0.0\n'
        'transform = "log" # skewed: members learn its logarithm\n'
        'censored = "bounds" # such as <66 and >124: never trained on, held against predictions',
        "columns": 'value = "alt_cm"',
        "screening": "minimum = 1.0",
        "extent": '[extent] # deep thaw, mostly bedrock of mountains\nthreshold = 200.0\nside = "above"\nname = "deep thaw"\n',
        "depth": "",
    },
}
README = """SIMULATED DATA. Nothing in this folder was measured; land, climate and ground follow written formulas.

A demo of Active Layer Mapper, size "{size}", seed {seed}: two studies on a north polar stereographic grid, in
eight slices of five years.
Run both with   python -m alm_core run {magt} {alt}

magt/   ground temperature, with its site table     alt/   active layer thickness, with its site table
layers/ rasters that both use                       published/   a simulated map of permafrost zones on another grid

Licence: CC-BY-4.0
"""


def write_demo(
    folder: str | Path,
    *,
    size: str = "medium",
    seed: int = DEFAULT_SEED,
    progress: Callable[[int, int, str], None] | None = None,
) -> Path:
    """Write two simulated studies of ground temperature and active layer thickness north of 45 N.

    The same size and seed give the same bytes. Not a data source: everything is tagged as simulated.

    Parameters
    ----------
    folder : path
        Made where it is not there. Files of an earlier demo are replaced, the studies last.
    size : {"small", "medium"}
        Cells of 100 km (a second) or of 25 km, about a quarter of a degree.
    seed : int
        Other seeds give other continents.
    progress : callable, optional
        Called with done, total and a message after each slice.

    Returns
    -------
    Path
        ``magt/study.toml``; the other study is ``alt/study.toml`` beside it.

    Raises
    ------
    StudyError
        The size is unknown or the seed negative.
    WorkspaceError
        The folder can't be written.

    Examples
    --------
    >>> write_demo("anywhere", size="huge")
    Traceback (most recent call last):
        ...
    alm_core.errors.StudyError: The demo has no size 'huge'. Choose small or medium.
    """
    if size not in CELL_METRES:
        raise StudyError(f"The demo has no size {size!r}. Choose small or medium.")
    if seed < 0:
        raise StudyError(f"The seed is {seed}: a whole number of 0 or more is expected.")
    folder = Path(folder)
    try:
        for name in ("layers", "published", *STUDIES):
            (folder / name).mkdir(parents=True, exist_ok=True)
        for name in STUDIES:  # a demo that was broken off can't be taken for a whole one
            (folder / name / "study.toml").unlink(missing_ok=True)
        return _write(folder, size, seed, progress or (lambda done, total, message: None))
    except OSError as fault:
        raise WorkspaceError(f"The demo can't be written to {folder}: {fault}. Choose a folder with space and rights.") from fault


def demo_grid(size: str) -> Grid:
    """The grid of a size: north polar stereographic, the pole in its middle."""
    return Grid.from_bounds((-HALF_WIDTH, -HALF_WIDTH, HALF_WIDTH, HALF_WIDTH), CELL_METRES[size], crs=CRS)


def land_of(grid: Grid, seed: int) -> Land:
    """The simulated land at the cell centres of a grid."""
    x, y = np.meshgrid(grid.x, grid.y)
    return Land(*Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True).transform(x, y), seed)


def _write(folder: Path, size: str, seed: int, progress: Callable[[int, int, str], None]) -> Path:
    grid = demo_grid(size)
    land = land_of(grid, seed)
    total = len(YEARS) + 2
    _raster(folder / "layers" / "land.tif", land.dry.astype(np.uint8), grid, "land", "1", seed)
    for name, (values, unit) in static_layers(land).items():
        _raster(folder / "layers" / f"{name}.tif", values, grid, name, unit, seed)
    for number, years in enumerate(YEARS):
        for name, (values, unit) in slice_layers(land, years).items():
            _raster(folder / "layers" / f"{name}_{slice_name(*years)}.tif", values, grid, name, unit, seed)
        for study, truth in (("magt", land.ground_temperature(middle(years))), ("alt", land.thaw_depth(middle(years)))):
            _raster(folder / study / f"truth_{slice_name(*years)}.tif", truth, grid, "truth", str(STUDIES[study]["unit"]), seed)
        progress(number + 1, total, slice_name(*years))
    _write_published(folder / "published" / "zones.tif", seed)
    _write_tables(folder, grid, land, size, seed)
    progress(total, total, "tables")
    for name in STUDIES:
        (folder / name / "study.toml").write_text(study_text(name, size, seed), encoding="utf-8")
    magt, alt = (folder / name / "study.toml" for name in STUDIES)
    (folder / "README.txt").write_text(README.format(size=size, seed=seed, magt=magt, alt=alt), encoding="utf-8")
    return magt


def static_layers(land: Land) -> dict[str, tuple[np.ndarray, str]]:
    """Layers that stay, with their units."""
    return {
        "elevation": (land.elevation, "m"),
        "organic_carbon": (land.organic_carbon, "kg m-2"),
        "clay": (land.clay, "percent"),
    }


def slice_layers(land: Land, years: tuple[int, int]) -> dict[str, tuple[np.ndarray, str]]:
    """Layers of one slice, with their units."""
    when = middle(years)
    thawing, freezing = land.degree_days(when)
    return {
        "air_temperature": (land.air_temperature(when), "degree_Celsius"),
        "thawing_index": (thawing, "degree_Celsius day"),
        "freezing_index": (freezing, "degree_Celsius day"),
        "snow": (land.snow(when), "mm"),
    }


def _write_published(path: Path, seed: int) -> None:
    """Permafrost zones as somebody else drew them: coarser, of the 1990s, half a degree off, on an equal-area grid."""
    grid = Grid.from_bounds((-HALF_WIDTH, -HALF_WIDTH, HALF_WIDTH, HALF_WIDTH), PUBLISHED_CELL, crs=PUBLISHED_CRS)
    land = land_of(grid, seed)
    temperature = land.ground_temperature(1992.0) + 0.5 * land.noise("published", (5, 10)) + 0.4
    zones = len(ZONES) - np.searchsorted(np.asarray(ZONES), temperature)
    _raster(path, np.where(land.dry, zones, 255).astype(np.uint8), grid, "permafrost zone", "1", seed)


def _write_tables(folder: Path, grid: Grid, land: Land, size: str, seed: int) -> None:
    boreholes, probes = SITES[size]
    frozen = land.dry & (land.ground_temperature(2000.0) < 1.0)
    tables = {
        "magt": ground_table(places(grid, land, land.dry, boreholes, seed=seed, what="boreholes"), seed=seed),
        "alt": thaw_table(places(grid, land, frozen, probes, seed=seed, what="probes"), seed=seed),
    }
    row, column = np.unravel_index(int(np.flatnonzero(~land.dry & (land.latitude > 70))[0]), grid.shape)
    at_sea = {"lon": round(float(land.longitude[row, column]), 4), "lat": round(float(land.latitude[row, column]), 4)}
    for name, table in tables.items():
        lost = table.iloc[[0]].assign(site_id="at_sea", **at_sea)  # every archive has a ship or a swapped sign
        _with_lost(table, lost).to_csv(folder / name / "sites.csv", index=False)


def _with_lost(table: Any, lost: Any) -> Any:
    import pandas as pd

    return pd.concat([table, lost], ignore_index=True)


def study_text(name: str, size: str, seed: int) -> str:
    """The study.toml of one of the two studies."""
    template = resources.files(__package__).joinpath("study_template.toml").read_text(encoding="utf-8")
    texts = {"thresholds": "", "labels": "", **STUDIES[name]}
    slices = "\n".join(
        f'[[slices]]\nname = "{slice_name(*years)}"\nfirst_year = {years[0]}\nlast_year = {years[1]}' for years in YEARS
    )
    published = PUBLISHED.substitute(texts) if texts["thresholds"] else ""
    edges = {"half": repr(HALF_WIDTH), "cell": repr(CELL_METRES[size]), "crs": CRS}
    layers = "\n".join(_layer_texts())
    return Template(template).substitute(
        texts, name=name, size=size, seed=seed, slices=slices, layers=layers, published=published, **edges, **EFFORT[size]
    )


PUBLISHED = Template("""
[[reference_maps]]
name = "simulated_zones"
path = "../published/zones.tif"
slice = "1990-1994"
thresholds = [$thresholds]
labels = [$labels]
codes = { permafrost = [3, 4], none = [0, 1, 2] } # continuous and discontinuous against the rest
source = "simulated"
""")


def _layer_texts() -> Iterator[str]:
    groups = {"elevation": "terrain", "organic_carbon": "soil", "clay": "soil"}
    nowhere = Land(np.zeros((1, 1)), np.full((1, 1), 60.0), 0)
    for name, (_, unit) in static_layers(nowhere).items():
        yield _layer_text(name, f"../layers/{name}.tif", groups[name], unit)
    for name, (_, unit) in slice_layers(nowhere, YEARS[0]).items():
        yield _layer_text(name, f"../layers/{name}_{{slice}}.tif", "climate", unit)


def _layer_text(name: str, path: str, group: str, unit: str) -> str:
    return f'[[covariates]]\nname = "{name}"\npath = "{path}"\ngroup = "{group}"\nunit = "{unit}"\nsource = "simulated"\n'


def _raster(path: Path, values: np.ndarray, grid: Grid, name: str, unit: str, seed: int) -> None:
    """One band with everything that a reader should know of it."""
    whole = np.issubdtype(values.dtype, np.integer)
    values = values if whole else values.astype(np.float32)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        crs=grid.crs,
        transform=grid.affine,
        height=grid.shape[0],
        width=grid.shape[1],
        count=1,
        dtype=values.dtype,
        nodata=255 if whole else -9999.0,
        compress="deflate",
        predictor=2 if whole else 3,
    ) as dataset:
        dataset.write(values if whole else np.where(np.isfinite(values), values, np.float32(-9999.0)), 1)
        dataset.set_band_description(1, name)
        dataset.units = (unit,)
        dataset.update_tags(SIMULATED="yes", TITLE=f"Simulated {name}", SEED=str(seed), LICENCE="CC-BY-4.0")
