"""Maps that are killed, starved of disk and gone on with: every one must end byte-identical to a clean map.

The small demo is fitted once; then, in copies of that workspace, ``python -m alm_core run`` makes the map and is killed by
SIGKILL at a random moment of its map stage, 20 times, each time gone on with by the same command. Two more proofs need root,
because they mount a small disk: one that fills up half way, and one that is too small from the start.

Run: ``python -m benchmarks.crash FOLDER [--kills 20] [--seed 0]``
"""

from __future__ import annotations

import argparse
import contextlib
import filecmp
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from alm_core.pipeline import program_hash
from alm_core.studies import DEMOS
from alm_core.workspace import Run, list_runs
from benchmarks.common import CORES, save

RASTERS = ("map/members.tif", "map/fused.tif", "map/uncertainty.tif", "map/map.json")
BLOCK_SIZE = 64
"""60 blocks on the small grid."""
FEWER_SCORES = {
    r"schemes = \[.*\]": 'schemes = ["random"]',
    r'headline = ".*"': 'headline = "random"',
    r"bootstrap = \d+": "bootstrap = 0",
    r"nested = \w+": "nested = false",
}
"""What happens before the map is not what is proved here."""
POLL_SECONDS = 0.002
SLACK_BYTES = 2**20


@dataclass(frozen=True)
class Prepared:
    """A workspace whose models are fitted, and the clean map that was made from a copy of it."""

    study: Path
    workspace: Path
    clean: Run

    def copy(self, folder: Path) -> Run:
        """The workspace in another folder."""
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.workspace, folder)
        return list_runs(folder)[0]


def prepare(folder: Path) -> Prepared:
    """Write the demo, fit its models and map it once without disturbance."""
    study = folder / "study"
    if not (study / "study.toml").is_file():
        path = DEMOS["active_layer_moisture"](study, size="small", progress=lambda *_: None)
        text = path.read_text(encoding="utf-8")
        for pattern, other in FEWER_SCORES.items():
            text = re.sub(pattern, other, text)
        path.write_text(text.replace("[map]\n", f"[map]\nblock_size = {BLOCK_SIZE}\n"), encoding="utf-8")
    workspace = folder / f"fitted_{program_hash()[:12]}"  # what another version fitted is not found again
    finish(study / "study.toml", workspace, until="models")
    shutil.rmtree(folder / "clean", ignore_errors=True)
    shutil.copytree(workspace, folder / "clean")
    finish(study / "study.toml", folder / "clean")
    return Prepared(study / "study.toml", workspace, list_runs(folder / "clean")[0])


def start(study: Path, workspace: Path, *, until: str = "map") -> subprocess.Popen[str]:
    """``python -m alm_core run`` in a session of its own."""
    command = [sys.executable, "-m", "alm_core", "run", str(study), "--workspace", str(workspace), "--until", until]
    return subprocess.Popen(
        [*command, "--workers", str(CORES)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(study: Path, workspace: Path, *, until: str = "map") -> None:
    """Run to the end of a stage."""
    program = start(study, workspace, until=until)
    said = program.communicate()[1]
    if program.returncode:
        raise SystemExit(f"the run ended with {program.returncode}: {said[-2000:]}")


def identities(run: Run) -> dict[str, tuple[int, int]]:
    """Which file on disk each finished block is; a block that was made again is another file."""
    files = (run.folder / "map" / "blocks").glob("r?????c?????.*")
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in files}


def differing(run: Run, clean: Run) -> list[str]:
    """Files of the map that are not those of the clean one."""
    return [name for name in RASTERS if not filecmp.cmp(run.folder / name, clean.folder / name, shallow=False)]


def mapping(run: Run) -> bool:
    """True once the map stage is under way."""
    with contextlib.suppress(Exception):  # the record may be replaced in this moment
        return "map" in run.record["stages"]
    return False


# ---- killed -------------------------------------------------------------------------------------------------------------


def wait_for_moment(run: Run, program: subprocess.Popen[str], moment: int, blocks: int) -> None:
    """Wait until a map has come so far: to its start, to a number of finished blocks, or beyond the last of them."""
    while program.poll() is None:
        if mapping(run) and len(identities(run)) >= min(moment, blocks):
            return
        time.sleep(POLL_SECONDS)


def kill_once(prepared: Prepared, folder: Path, rng: np.random.Generator) -> dict[str, Any] | None:
    """Kill a map at a random moment and go on with it; None where it had ended before.

    The moment is drawn by what is done, not by the clock, so that it does not depend on how busy the machine is: four of
    five fall between the start of the stage and its last block, the others into the writing of the rasters.
    """
    run = prepared.copy(folder)
    blocks = len(identities(prepared.clean))
    moment = int(rng.integers(0, blocks + blocks // 4))
    wait = float(rng.uniform(0.0, 0.05 if moment < blocks else 0.5))
    program = start(prepared.study, folder)
    wait_for_moment(run, program, moment, blocks)
    time.sleep(wait)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(program.pid, signal.SIGKILL)
    program.communicate()
    if program.returncode != -signal.SIGKILL:
        return None
    before = identities(run)
    blocks = run.folder / "map" / "blocks"
    torn = [path.name for path in blocks.glob(".r*")]
    rasters = sum((run.folder / name).is_file() for name in RASTERS[:3])
    finish(prepared.study, folder)
    now = identities(run)
    return {
        "moment": moment,
        "finished_blocks": len(before),
        "finished_rasters": rasters,
        "blocks_in_flight": len(torn),
        "finished_blocks_made_again": sum(now[name] != identity for name, identity in before.items()),
        "differing_files": differing(run, prepared.clean),
        "left_behind": [path.name for path in (run.folder / "map").rglob(".*") if path.name != ".lock"],
    }


def kill_often(prepared: Prepared, folder: Path, kills: int, seed: int) -> dict[str, Any]:
    """Kill as many maps as are wanted."""
    rng, found = np.random.default_rng(seed), []
    while len(found) < kills:
        one = kill_once(prepared, folder / "killed", rng)
        if one is not None:
            found.append(one)
            print(f"kill {len(found)} of {kills}: {one}", file=sys.stderr, flush=True)
    return {
        "kills": found,
        "identical": sum(not one["differing_files"] for one in found),
        "finished_blocks_made_again": sum(one["finished_blocks_made_again"] for one in found),
        "most_blocks_in_flight": max(one["blocks_in_flight"] for one in found),
        "left_behind": sum(len(one["left_behind"]) for one in found),
    }


# ---- disks that are too small -------------------------------------------------------------------------------------------


@contextlib.contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """A disk in memory; needs root."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def size_of(folder: Path) -> int:
    """Bytes of all files in a folder, in whole pages of memory."""
    return sum(-(-path.stat().st_size // 4096) * 4096 for path in folder.rglob("*") if path.is_file())


def message_of(said: str) -> str:
    """The error that the command line printed last."""
    found = [line for line in said.splitlines() if re.match(r"\w+Error: ", line)]
    return found[-1] if found else said[-500:]


def disk_full(prepared: Prepared, folder: Path) -> dict[str, Any]:
    """Fill the disk in the middle of a map (the estimate had found it large enough), make space, go on."""
    needed = size_of(prepared.clean.folder.parents[1])
    with small_disk(folder / "disk", 2 * needed + 16 * SLACK_BYTES) as disk:
        run = prepared.copy(disk / "workspace")
        program = start(prepared.study, disk / "workspace")
        while len(identities(run)) < 20 and program.poll() is None:
            time.sleep(POLL_SECONDS)
        free = shutil.disk_usage(disk).free
        with contextlib.suppress(OSError), (disk / "ballast").open("wb") as stream:
            while free > 0:
                stream.write(bytes(min(SLACK_BYTES, free)))
                stream.flush()
                free = shutil.disk_usage(disk).free
        said = program.communicate()[1]
        before = identities(run)
        (disk / "ballast").unlink()
        finish(prepared.study, disk / "workspace")
        now = identities(run)
        return {
            "exit_code": program.returncode,
            "message": message_of(said),
            "finished_blocks": len(before),
            "finished_blocks_made_again": sum(now[name] != identity for name, identity in before.items()),
            "differing_files": differing(run, prepared.clean),
        }


def disk_too_small(prepared: Prepared, folder: Path) -> dict[str, Any]:
    """A disk that holds the models but not the map: refused after the sample; with more space the map goes on."""
    fitted = size_of(prepared.workspace)
    taken = size_of(prepared.clean.folder / "map")
    with small_disk(folder / "disk", fitted + taken // 2 + SLACK_BYTES // 4) as disk:
        run = prepared.copy(disk / "workspace")
        program = start(prepared.study, disk / "workspace")
        said = program.communicate()[1]
        made = len(identities(run))
        subprocess.run(["mount", "-o", f"remount,size={4 * (fitted + taken) + 16 * SLACK_BYTES}", str(disk)], check=True)
        finish(prepared.study, disk / "workspace")
        return {
            "exit_code": program.returncode,
            "message": message_of(said),
            "blocks_made_before": made,
            "differing_files": differing(run, prepared.clean),
        }


def main() -> None:
    """Run all proofs and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    wanted = parser.parse_args()
    folder = wanted.folder.resolve()
    prepared = prepare(folder)
    killed = kill_often(prepared, folder, wanted.kills, wanted.seed)
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    disks = {"full_half_way": disk_full(prepared, folder), "too_small": disk_too_small(prepared, folder)} if root else {}
    estimate = json.loads((prepared.clean.folder / "map" / "estimate.json").read_text(encoding="utf-8"))
    met = {
        "identical": killed["identical"] == wanted.kills,
        "only_blocks_in_flight": killed["finished_blocks_made_again"] == 0 and killed["most_blocks_in_flight"] <= CORES,
        "nothing_left_behind": killed["left_behind"] == 0,
        "disk_full": not root or (disks["full_half_way"]["exit_code"] == 1 and not disks["full_half_way"]["differing_files"]),
        "disk_too_small": not root or (disks["too_small"]["exit_code"] == 1 and not disks["too_small"]["differing_files"]),
    }
    facts = {"blocks": estimate["blocks"], "cells": estimate["cells"]}
    save("crash", {**facts, "wanted": wanted.kills, **killed, "disks": disks, "met": met})


if __name__ == "__main__":
    main()
