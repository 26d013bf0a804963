"""Mapping four full-size ensembles: our map against the libraries' own predictions and other tools, on the same two cores.

Every map is made by `alm_core.mapping.predict.map_blocks`, whose members are ours, the libraries' or another tool's: reading,
masking and writing are the same for all, and so is the arrangement: two blocks at a time, one thread each, which wastes less than
one block with two threads. Times are wall clock, the median of some rounds, in which all cases take turns.

- The whole window (4000 x 4000 cells of the full-size demo) is mapped by us; the libraries map its middle (1200 x 1200 cells),
  because they would need ten minutes for the whole. Speeds are cells with a value per second.
- Members alone: `map_blocks` has no such mode, so a plain mean is fused and written too; no interval, no applicability.
- Shuffled: cells of the window drawn at random, laid out in no order. Pruning by blocks can meet nothing worse.

Run: ``python -m benchmarks.mapping FOLDER [--size 4000] [--rounds 3]``. The data are written into FOLDER once (2 GB). Other tools
are measured where they are installed: ``pip install sklearn-raster onnx onnxruntime skl2onnx onnxmltools``.
"""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import rasterio

from alm_core.covariates.stack import Stack
from alm_core.learning.fusion import Fusion, fit_fusion
from alm_core.mapping.predict import map_blocks
from benchmarks.common import CORES, Timing, save, take_turns
from benchmarks.mapping_peers import PEERS
from benchmarks.plateau_window import COVARIATES, MEMBERS, SIZE, Window, cut, prepare, shuffle

PART = 1200
"""Side of what the libraries map."""
BARS = {"all_four": 15.0, "shuffled": 5.0, "shuffled_catboost": 1.0, "everything": 2.0, "difference": 1e-6}


@dataclass(frozen=True)
class Member:
    """A named function of blocks, as `map_blocks` wants its members."""

    name: str
    predict_block: Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Case:
    """One way to make a map."""

    stack: Stack
    members: tuple[Member, ...]
    fusion: Any
    applicability: Any = None

    def run(self, folder: Path) -> int:
        """Make the map from nothing; cells with a value."""
        shutil.rmtree(folder, ignore_errors=True)
        result = map_blocks(
            self.stack.reader,
            self.stack.grid,
            self.members,
            self.fusion,
            names=COVARIATES,
            folder=folder,
            fingerprint="benchmark",
            applicability=self.applicability,
            workers=CORES,
        )
        shutil.rmtree(folder / "blocks")
        return result.counts.mapped


def ours(window: Window) -> dict[str, Member]:
    """The compiled members."""
    return {name: Member(name, learner.predict_block) for name, learner in window.compiled.items()}


def native(window: Window) -> dict[str, Member]:
    """The libraries' own predictions, one thread each: the fits were told so, and CatBoost has to be told again."""
    found = {}
    for name, model in window.native.items():
        predict = partial(model.predict, thread_count=1) if name == "catboost" else model.predict
        found[name] = Member(name, _by_rows(predict))
    return found


def _by_rows(predict: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """A function of rows as a function of a block and its valid cells."""
    return lambda values, valid: np.asarray(predict(np.ascontiguousarray(values[:, valid].T)), float)


def plain_mean(window: Window, names: tuple[str, ...]) -> Fusion:
    """The least that a map can fuse."""
    inner = pd.read_parquet(window.folder / "models" / "inner.parquet")
    observed = window.samples.target
    return fit_fusion(inner[list(names)].to_numpy().T, observed, learners=names, method="equal", correction="none")


def choices(members: Mapping[str, Member]) -> dict[str, tuple[str, ...]]:
    """Each member alone, and all that there are together."""
    return {name: (name,) for name in members} | ({"all_four": tuple(members)} if len(members) == len(MEMBERS) else {})


def cases_of(window: Window, stacks: Mapping[str, Stack]) -> dict[str, Case]:
    """Every map that is measured, by ``who/what/where``."""
    tools = {"ours": ours(window), "native": native(window)}
    found = {}
    for who, members in tools.items():
        for what, names in choices(members).items():
            for where, stack in stacks.items():
                if who == "native" and where == "whole":
                    continue
                chosen = tuple(members[name] for name in names)
                found[f"{who}/{what}/{where}"] = Case(stack, chosen, plain_mean(window, names))
    every = tuple(tools["ours"].values())
    found["ours/everything/whole"] = Case(stacks["whole"], every, window.fusion, window.applicability)
    return found


def largest_difference(first: Path, second: Path) -> float:
    """Largest difference between the members of two maps; they must have values in the same cells."""
    worst = 0.0
    with (
        rasterio.open(first / "members.tif", driver="GTiff") as one,
        rasterio.open(second / "members.tif", driver="GTiff") as two,
    ):
        for band in one.indexes:
            a, b = one.read(band), two.read(band)
            if not np.array_equal(np.isnan(a), np.isnan(b)):
                raise SystemExit(f"{first} and {second} have values in different cells")
            worst = max(worst, float(np.nanmax(np.abs(a.astype(float) - b))))
    return worst


def peer_cases(window: Window, part: Stack) -> tuple[dict[str, Case], dict[str, str]]:
    """Maps by other tools that are installed, and why others are not measured."""
    found, skipped = {}, {}
    for tool, make in PEERS.items():
        try:
            predictors = make(window)
        except ImportError as fault:
            skipped[tool] = f"not installed ({fault.name})"
            continue
        members = {name: Member(name, predictor.predict_block) for name, predictor in predictors.items()}
        for what, names in choices(members).items():
            chosen = tuple(members[name] for name in names)
            found[f"{tool}/{what}/part"] = Case(part, chosen, plain_mean(window, names))
    return found, skipped


# ---- what is written ----------------------------------------------------------------------------------------------------


def speeds(timings: Mapping[str, Timing], cells: Mapping[str, int]) -> dict[str, float]:
    """Million cells a second of every case."""
    return {name: cells[name] / timing.wall / 1e6 for name, timing in timings.items()}


def compared(speed: Mapping[str, float], maps: Path) -> dict[str, Any]:
    """Speeds, ratios and differences by member."""
    found = {}
    for what in (*MEMBERS, "all_four"):
        row = {
            "native_million_cells_per_s": speed[f"native/{what}/part"],
            "ours_million_cells_per_s": speed[f"ours/{what}/whole"],
            "times_faster": speed[f"ours/{what}/whole"] / speed[f"native/{what}/part"],
            "times_faster_on_the_same_cells": speed[f"ours/{what}/part"] / speed[f"native/{what}/part"],
            "shuffled_times_faster": speed[f"ours/{what}/shuffled"] / speed[f"native/{what}/shuffled"],
            "shuffled_ours_million_cells_per_s": speed[f"ours/{what}/shuffled"],
        }
        for where in ("part", "shuffled"):
            differs = largest_difference(maps / f"ours_{what}_{where}", maps / f"native_{what}_{where}")
            row[f"largest_difference_{where}"] = differs
        found[what] = row
    return found


def met(found: Mapping[str, Any], ratio: float) -> dict[str, bool]:
    """Which bars are met."""
    shuffled = {name: row["shuffled_times_faster"] for name, row in found.items()}
    return {
        "all_four": found["all_four"]["times_faster"] >= BARS["all_four"],
        "shuffled": min(shuffled[name] for name in ("random_forest", "extra_trees", "xgboost")) >= BARS["shuffled"],
        "shuffled_catboost": shuffled["catboost"] >= BARS["shuffled_catboost"],
        "everything": ratio <= BARS["everything"],
        "difference": max(row["largest_difference_part"] for row in found.values()) <= BARS["difference"],
    }


def measure(window: Window, part_side: int, rounds: int) -> dict[str, Any]:
    """All maps, in turns."""
    whole = window.stack
    part = cut(whole, window.folder / "part", part_side)
    stacks = {"whole": whole, "part": part, "shuffled": shuffle(whole, window.folder / "shuffled", part_side)}
    cases = cases_of(window, stacks)
    peers, skipped = peer_cases(window, part)
    cases |= peers
    maps = window.folder / "maps"
    cells: dict[str, int] = {}

    def runner(name: str, case: Case) -> Callable[[], None]:
        def run() -> None:
            cells[name] = case.run(maps / name.replace("/", "_"))

        return run

    for name in (name for name in cases if "/part" in name and name.startswith("ours")):
        runner(name, cases[name])()  # kernels are compiled, files are in the cache of the system
    timings = take_turns({name: runner(name, case) for name, case in cases.items()}, rounds)
    speed = speeds(timings, cells)
    found = compared(speed, maps)
    ratio = timings["ours/everything/whole"].wall / timings["ours/all_four/whole"].wall
    return {
        "cells": {
            name: {"grid": list(stack.grid.shape), "mapped": cells[f"ours/all_four/{name}"]} for name, stack in stacks.items()
        },
        "covariates": list(COVARIATES),
        "members": {
            name: {**MEMBERS[name], "nodes": len(learner.estimator.feature)} for name, learner in window.compiled.items()
        },
        "compared": found,
        "everything": {
            "members_s": timings["ours/all_four/whole"].wall,
            "everything_s": timings["ours/everything/whole"].wall,
            "ratio": ratio,
        },
        "peers": skipped | peers_compared(speed, peers, maps),
        "bars": BARS,
        "met": met(found, ratio),
        "timings": {name: timing.to_dict() for name, timing in timings.items()},
    }


def peers_compared(speed: Mapping[str, float], peers: Mapping[str, Case], maps: Path) -> dict[str, Any]:
    """Speeds of other tools, and how much faster we are on the same cells."""
    found: dict[str, Any] = {}
    for name in peers:
        tool, what, where = name.split("/")
        found.setdefault(tool, {})[what] = {
            "million_cells_per_s": speed[name],
            "ours_times_faster": speed[f"ours/{what}/{where}"] / speed[name],
            "largest_difference_from_native": largest_difference(maps / name.replace("/", "_"), maps / f"native_{what}_{where}"),
        }
    return found


def main() -> None:
    """Prepare the data, measure, save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=int, default=SIZE, help="side of the window in cells")
    parser.add_argument("--part", type=int, default=PART, help="side of what the libraries map")
    parser.add_argument("--rounds", type=int, default=3)
    wanted = parser.parse_args()
    window = prepare(wanted.folder.resolve(), size=wanted.size)
    part = min(wanted.part, wanted.size)
    load = os.getloadavg()[0]
    found = measure(window, part, wanted.rounds)
    name = "mapping" if (wanted.size, wanted.part, wanted.rounds) == (SIZE, PART, 3) else f"mapping_{wanted.size}"
    save(name, {"cores_used": CORES, "rounds": wanted.rounds, "load_before": round(load, 1), **found})


if __name__ == "__main__":
    main()
