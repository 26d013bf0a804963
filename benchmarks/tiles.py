"""How fast the server makes tiles of a full-size map: 43,990 x 16,790 cells, four members.

    python -m benchmarks.tiles FOLDER [--columns 43990] [--rows 16790]

FOLDER keeps the map (a small simulated run whose members are replaced by a full-size file), so that the next time is quick.
The real server runs in a process of its own; eight clients ask over connections that stay open.
"""

from __future__ import annotations

import argparse
import http.client
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.windows import Window

from alm_core import run as run_study
from alm_core.grid import Block, Grid
from alm_core.mapping.cog import open_raster, write_cog
from alm_core.serving.mercator import tile_pixels
from alm_core.serving.urls import live_url, members_url
from alm_core.studies import DEMOS
from alm_core.workspace import Run, list_runs
from benchmarks.common import save

COLUMNS, ROWS = 43_990, 16_790
WEST, SOUTH, EAST, NORTH = 68.024, 25.814, 104.6825, 39.805
CLIENTS = 8
ZOOMS = (6, 8, 10)
TILES = 160
VISIBLE = 12
LEAST_DATA = 0.05
"""Part of a tile that holds data where it counts as one with data."""
MOVES = 60
BLOCK_CELLS = 512
SERVER = (
    "import uvicorn; from starlette.applications import Starlette; from alm_core.serving.routes import ROUTES; "
    "uvicorn.run(Starlette(routes=ROUTES), port={port}, log_level='warning')"
)


# ---- the map ------------------------------------------------------------------------------------------------------------


def prepare(folder: Path, rows: int, columns: int) -> tuple[Run, float]:
    """The run with its full-size members, and the seconds that writing them took (0 where they were there)."""
    workspace = folder / "workspace"
    if not list_runs(workspace):
        run_study(DEMOS["active_layer_moisture"](folder / "demo", size="small"), workspace=workspace)
    run = Run(list_runs(workspace)[0].folder.resolve())
    members = run.folder / "map" / "members.tif"
    with open_raster(members) as dataset:
        if dataset.shape == (rows, columns):
            return run, 0.0
        mask = ~np.isnan(dataset.read(1))
        names, units = list(dataset.descriptions), list(dataset.units)
    cell = (EAST - WEST) / columns
    grid = Grid("EPSG:4326", (cell, 0.0, WEST, 0.0, -(NORTH - SOUTH) / rows, NORTH), (rows, columns))
    start = time.perf_counter()
    write_cog(members, member_blocks(grid, mask), grid, band_names=names, units=units)
    return run, time.perf_counter() - start


def member_blocks(grid: Grid, mask: np.ndarray) -> Iterator[tuple[Block, np.ndarray]]:
    """Smooth fields with the fine grain of real predictions, on the cells of a coarse mask."""
    rng = np.random.default_rng(1)
    grain = rng.normal(0, 0.01, (4, BLOCK_CELLS, BLOCK_CELLS)).astype(np.float32)
    nothing = np.full((4, BLOCK_CELLS, BLOCK_CELLS), np.nan, np.float32)
    for block in grid.blocks(BLOCK_CELLS):
        shape = (4, *block.shape)
        row = (np.arange(block.row_start, block.row_stop) * mask.shape[0]) // grid.shape[0]
        column = (np.arange(block.column_start, block.column_stop) * mask.shape[1]) // grid.shape[1]
        inside = mask[np.ix_(row, column)]
        if not inside.any():
            yield block, nothing[:, : shape[1], : shape[2]]
            continue
        values = grain[:, : shape[1], : shape[2]] + smooth_fields(grid, block)
        values[:, ~inside] = np.nan
        yield block, values


def smooth_fields(grid: Grid, block: Block) -> np.ndarray:
    """Four waves around 0.25, float32 ``[4, row, column]``."""
    x, y = grid.x[block.slices[1]], grid.y[block.slices[0]]
    fields = [0.25 + 0.1 * np.outer(np.sin(2 * y + band), np.cos(1.5 * x - band)) for band in range(4)]
    return np.stack(fields).astype(np.float32)


# ---- the tiles ----------------------------------------------------------------------------------------------------------


def tiles_with_data(run: Run, zoom: int) -> list[tuple[int, int, int]]:
    """Tiles of a zoom that hold data, in rows as a map asks for them: at most 160, from the middle."""
    with open_raster(run.folder / "map" / "members.tif") as dataset:
        factors = dataset.overviews(1)
        with rasterio.open(dataset.name, driver="GTiff", overview_level=len(factors) - 1) as coarse:
            data = ~np.isnan(coarse.read(1, window=Window(0, 0, coarse.width, coarse.height)))
    found = []
    count = 2**zoom
    for y in range(int(0.36 * count), int(0.44 * count) + 1):
        for x in range(int(0.68 * count), int(0.8 * count) + 1):
            pixels = tile_pixels(zoom, x, y)
            row = ((NORTH - pixels.latitude) / (NORTH - SOUTH) * data.shape[0]).astype(int).clip(0, data.shape[0])
            column = ((pixels.longitude - WEST) / (EAST - WEST) * data.shape[1]).astype(int).clip(0, data.shape[1])
            part = data[row[0] : row[-1] + 1, column[0] : column[-1] + 1]
            if part.size and part.mean() > LEAST_DATA:
                found.append((zoom, x, y))
    middle = max(0, (len(found) - TILES) // 2)
    return found[middle : middle + TILES]


def addresses(url: str, tiles: list[tuple[int, int, int]]) -> list[str]:
    """The addresses of tiles."""
    return [url.format(z=z, x=x, y=y) for z, x, y in tiles]


# ---- the measurement ----------------------------------------------------------------------------------------------------


class Server:
    """The server in a process of its own."""

    def __init__(self, workspace: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        environment = os.environ | {"ALM_WORKSPACE": str(workspace)}
        self.process = subprocess.Popen([sys.executable, "-c", SERVER.format(port=self.port)], env=environment)
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise TimeoutError("the server did not start within 30 s")

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(timeout=10)

    def ask(self, paths: list[str]) -> dict[str, float]:
        """Ask for addresses with eight clients; tiles a second and milliseconds a tile."""
        waiting, seconds, faults = iter(paths), [], []
        lock = threading.Lock()

        def client() -> None:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
            while True:
                with lock:
                    path = next(waiting, None)
                if path is None:
                    return
                start = time.perf_counter()
                connection.request("GET", path)
                answer = connection.getresponse()
                content = answer.read()
                seconds.append(time.perf_counter() - start)
                if answer.status not in (200, 204):
                    faults.append(f"{answer.status} {path}: {content[:200]!r}")

        threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
        start = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        total = time.perf_counter() - start
        if faults:
            raise RuntimeError(f"{len(faults)} tiles failed, such as {faults[0]}")
        p50, p95 = np.percentile(seconds, (50, 95)) * 1000
        return {"tiles": len(paths), "tiles_per_second": len(paths) / total, "p50_ms": float(p50), "p95_ms": float(p95)}


def slider_moves(run: Run, tiles: list[tuple[int, int, int]]) -> list[str]:
    """Sixty moves of a slider, each with the twelve visible tiles."""
    rng = np.random.default_rng(2)
    names = [learner["name"] for learner in run.record["options"]["learners"]]
    asked = []
    for _ in range(MOVES):
        weights = dict(zip(names, rng.random(len(names)).tolist(), strict=True))
        asked += addresses(live_url(run, weights=weights), tiles[:VISIBLE])
    return asked


def measure(run: Run) -> dict[str, Any]:
    """Cold tiles at three zooms, each on a fresh server; then new weights on decoded members, and member tiles."""
    workspace, results = run.folder.parents[1], {}
    even = {"weights": dict.fromkeys((learner["name"] for learner in run.record["options"]["learners"]), 1.0)}
    warm = addresses(live_url(run, **even), tiles_with_data(run, 5)[:1])
    for zoom in ZOOMS:
        with Server(workspace) as server:
            server.ask(warm)  # imports, fitting and the catalogue are paid once per server, not per tile
            results[f"cold_z{zoom}"] = server.ask(addresses(live_url(run, **even), tiles_with_data(run, zoom)))
    with Server(workspace) as server:
        tiles = tiles_with_data(run, 8)
        server.ask(warm + addresses(live_url(run, **even), tiles[:VISIBLE]))
        results["new_weights"] = server.ask(slider_moves(run, tiles))
        server.ask(addresses(members_url(run), tiles[-1:]))  # looks for the range of the codes
        results["members_for_the_browser"] = server.ask(addresses(members_url(run), tiles[: 4 * VISIBLE]))
    return results


def main() -> None:
    """Write the map where it is not there, measure, save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--columns", type=int, default=COLUMNS)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--name", default="tiles")
    arguments = parser.parse_args()
    run, seconds = prepare(arguments.folder, arguments.rows, arguments.columns)
    size = (run.folder / "map" / "members.tif").stat().st_size
    facts = {"shape": [arguments.rows, arguments.columns], "bands": 4, "file_bytes": size, "write_seconds": round(seconds, 1)}
    save(arguments.name, {**facts, "clients": CLIENTS, **measure(run)})


if __name__ == "__main__":
    main()
