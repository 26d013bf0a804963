"""Write the whole demo: rasters, truth, field table and study.toml."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from string import Template

from alm_core.errors import StudyError, WorkspaceError
from alm_core.grid import Grid
from alm_core.studies.active_layer_moisture import field_sites, table_faults
from alm_core.studies.active_layer_moisture.instruments import RADAR_SCENES
from alm_core.studies.active_layer_moisture.layers import MAP_GRIDS, RASTERS, Raster, map_grid, native_grid
from alm_core.studies.active_layer_moisture.table_faults import COLUMNS
from alm_core.studies.active_layer_moisture.writing import BLOCK, TRUTH, mask_of, write_rasters

DEFAULT_SEED = 7
LAYERS_FOLDER = "layers"
NATIVES = ("map", "coarse", "climate", "albers")

RESOLUTION_TEXT = {"small": "0.05 degree", "medium": "0.01 degree", "full": "3 arc-seconds"}
THOROUGH = {
    "trees": 300,
    "rounds": 300,
    "selection_folds": 4,
    "nested": "true",
    "inner_folds": 5,
    "domain_points": 1000,
    "bootstrap": 500,
}
QUICK = {
    "trees": 40,
    "rounds": 60,
    "selection_folds": 3,
    "nested": "false",
    "inner_folds": 3,
    "domain_points": 300,
    "bootstrap": 100,
}
EFFORT = {"small": QUICK, "medium": THOROUGH, "full": THOROUGH}
"""How much work the study of each size asks for; the small one is for tests."""
PRODUCTS = {"full": "ALM_QTP_simulated"}
"""Name under which the map of a size goes out: that of the published product, and what it is."""

README = """SIMULATED DATA. Nothing in this folder was measured.

A demo of Active Layer Mapper, size "{size}", seed {seed}, written by alm_core/studies/active_layer_moisture.
The broad relief is real (NOAA ETOPO5, 1988, public domain). Everything else follows written formulas.

study.toml            the study: run it with  python -m alm_core run study.toml
sites.csv             field table of {rows} rows, {usable} of them usable; the others carry the faults of real tables
sites_answers.csv     what no real campaign has: the true value at each row and the fault that was put into it
layers/               covariate rasters, on several grids
permafrost_mask.tif   where to map
truth.tif             the moisture that the sites were drawn from

Licence: CC-BY-4.0
"""


def write_demo(
    folder: str | Path,
    *,
    size: str = "medium",
    seed: int = DEFAULT_SEED,
    progress: Callable[[int, int, str], None] | None = None,
) -> Path:
    """Write a complete simulated study of active-layer moisture.

    The same size and seed give the same bytes. Not a data source: everything is tagged as simulated.

    Parameters
    ----------
    folder : path
        Made where it is not there. Files of an earlier demo are replaced, study.toml last.
    size : {"small", "medium", "full"}
        0.05 degree (seconds), 0.01 degree (half a minute) or 3 arc-seconds (738 million cells, 131 million of them to
        be mapped: about ten minutes, 5 GB).
    seed : int
        Other seeds give another land and other sites on the same broad relief.
    progress : callable, optional
        Called with done, total and a message after each block.

    Returns
    -------
    Path
        The study.toml.

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
    alm_core.errors.StudyError: The demo has no size 'huge'. Choose small, medium or full.
    """
    if size not in MAP_GRIDS:
        raise StudyError(f"The demo has no size {size!r}. Choose small, medium or full.")
    if seed < 0:
        raise StudyError(f"The seed is {seed}: a whole number of 0 or more is expected.")
    folder = Path(folder)
    try:
        (folder / LAYERS_FOLDER).mkdir(parents=True, exist_ok=True)
        # without it a demo that was broken off can't be taken for a whole one
        (folder / "study.toml").unlink(missing_ok=True)
        return _write(folder, size, seed, progress)
    except OSError as fault:
        raise WorkspaceError(
            f"The demo can't be written to {folder}: {fault}. Choose a folder with space and the right to write."
        ) from fault


def _write(folder: Path, size: str, seed: int, progress: Callable[[int, int, str], None] | None) -> Path:
    table = table_faults.field_table(size, seed)
    table_faults.write_table(folder / "sites.csv", table)
    table_faults.write_answers(folder / "sites_answers.csv", table)
    _write_rasters(folder, size, seed, progress)
    text = README.format(size=size, seed=seed, rows=len(table), usable=field_sites.USABLE)
    (folder / "README.txt").write_bytes(text.encode())
    path = folder / "study.toml"
    path.write_bytes(study_text(size, seed).encode())
    return path


def _write_rasters(folder: Path, size: str, seed: int, progress: Callable[[int, int, str], None] | None) -> None:
    target, mask = map_grid(size), mask_of(size)
    by_native: dict[str, tuple[Grid, list[tuple[Path, Raster]]]] = {}
    for native in NATIVES:
        files = [(folder / LAYERS_FOLDER / raster.file, raster) for raster in RASTERS if raster.native == native]
        by_native[native] = native_grid(native, target), files
    by_native["map"][1].extend([(folder / mask.file, mask), (folder / TRUTH.file, TRUTH)])
    total = sum(1 for grid, _ in by_native.values() for _ in grid.blocks(BLOCK))
    done = 0

    def tick(message: str) -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total, message)

    for native, (grid, files) in by_native.items():
        write_rasters(files, grid, seed=seed, tick=tick, mask=mask if native == "map" else None)


# ---- study.toml -------------------------------------------------------------------------------------------------


def study_text(size: str, seed: int) -> str:
    """The study.toml of one size, with comments."""
    west, south, east, north, cell = MAP_GRIDS[size]
    scenes = [_scene_name(scene) for scene in RADAR_SCENES]
    autumn = [_scene_name(scene) for scene, state in RADAR_SCENES.items() if state is None]
    template = resources.files(__package__).joinpath("study_template.toml").read_text(encoding="utf-8")
    return Template(template).substitute(
        size=size,
        seed=seed,
        resolution_text=RESOLUTION_TEXT[size],
        resolution=repr(cell),
        west=repr(west),
        south=repr(south),
        east=repr(east),
        north=repr(north),
        columns=_columns_text(),
        ring_volume=field_sites.RING_VOLUME_CM3,
        particle_density=field_sites.PARTICLE_DENSITY,
        gpr_porosity=field_sites.ASSUMED_POROSITY,
        covariates="\n".join(_raster_text(raster) for raster in RASTERS),
        months=", ".join(f'"temperature_{month:02d}"' for month in range(1, 13)),
        scenes=", ".join(f'"{name}"' for name in scenes),
        autumn_scenes=", ".join(f'"{name}"' for name in autumn),
        publish_as=f'publish_as = "{PRODUCTS[size]}" # the fused raster also gets this name\n' if size in PRODUCTS else "",
        **EFFORT[size],
    )


def _scene_name(scene: str) -> str:
    return f"vv_{scene.replace('-', '')}"


def _columns_text() -> str:
    fields = {"station": "site_id", "top": "depth_top", "bottom": "depth_bottom"}
    return "\n".join(f"{fields.get(name, name)} = {json.dumps(header)}" for name, header in COLUMNS.items())


def _raster_text(raster: Raster) -> str:
    """The [[covariates]] of one file, one for each band."""
    parts = []
    for number, band in enumerate(raster.bands, 1):
        lines = [
            f"[[covariates]] # {band.description}",
            f'name = "{band.name}"',
            f'path = "{LAYERS_FOLDER}/{raster.file}"',
            f"band = {number}" if len(raster.bands) > 1 else "",
            f'group = "{raster.group}"',
            f'kind = "{raster.kind}"' if raster.kind != "continuous" else "",
            f'unit = "{band.unit}"',
            f'resampling = "{raster.resampling}"' if raster.native != "map" else "",
            "use = false" if not raster.use else "",
            'source = "simulated"',
        ]
        parts.append("\n".join(line for line in lines if line) + "\n")
    return "\n".join(parts)
