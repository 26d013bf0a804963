"""A run without intervals and without an area of applicability, made from a finished one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd

from alm_core.workspace import Run, write_json


def without_uncertainty(run: Run, workspace: Path) -> Run:
    """Copy a run and take away what a study leaves out that wants neither intervals nor an area of applicability."""
    folder = copied(run, workspace)
    (folder / "applicability.json").unlink()
    pairs = pd.read_parquet(folder / "out_of_fold.parquet")
    pairs[["lower", "upper"]] = float("nan")
    pairs.to_parquet(folder / "out_of_fold.parquet", index=False)
    record = Run.open(folder).record
    record["options"]["uncertainty"]["method"] = "none"
    record["options"]["applicability"]["enabled"] = False
    write_json(folder / "run.json", record)
    return Run.open(folder)


def unfinished(run: Run, workspace: Path, *, after: str) -> Run:
    """Copy a run as it stood when the stage `after` was done."""
    folder = copied(run, workspace)
    record = Run.open(folder).record
    for name in record["order"][record["order"].index(after) + 1 :]:
        for file in record["stages"].pop(name)["files"]:
            (folder / file).unlink(missing_ok=True)
    write_json(folder / "run.json", record)
    return Run.open(folder)


def copied(run: Run, workspace: Path) -> Path:
    """Folder of the copy."""
    folder = workspace / run.folder.parent.name / run.id
    shutil.copytree(run.folder, folder)
    return folder
