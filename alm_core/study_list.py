"""The studies that a page offers: those of the studies folder, and those that a run of the workspace came from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alm_core.errors import AlmError, MissingFileError
from alm_core.study import Study
from alm_core.workspace import list_runs

STUDY_FILE = "study.toml"


@dataclass(frozen=True)
class KnownStudy:
    """A study that can be run.

    Attributes
    ----------
    id : str
        Short name of its path, for addresses and widgets; a path never stands in an address.
    path : Path
        Its study.toml.
    name, title : str
        As the file says; name of its folder and empty where it can't be read.
    simulated : bool
    sites, covariates : str and int
        Name of the site table (empty for a study of days), number of raster layers.
    variables : int
        Number of daily quantities; 0 for a study of sites.
    fault : str
        Why it can't be run; empty where it can.
    runs : tuple of str
        Ids ``study/run id`` of its runs, finished or not.
    """

    id: str
    path: Path
    name: str
    title: str = ""
    simulated: bool = False
    sites: str = ""
    covariates: int = 0
    variables: int = 0
    fault: str = ""
    runs: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The study as plain values, for JSON."""
        return {**vars(self), "path": str(self.path), "runs": list(self.runs)}


def list_studies(studies: str | Path, workspace: str | Path) -> list[KnownStudy]:
    """Every study that is known, by name; one that can't be read is listed with its fault.

    Parameters
    ----------
    studies : path
        Folder whose folders hold a study.toml each; those that begin with a dot are left alone.
    workspace : path
        Folder of all runs; a run says which study.toml it came from.
    """
    runs: dict[Path, list[str]] = {}
    for run in list_runs(Path(workspace)):
        try:
            file = run.record.get("study_file")
        except AlmError:
            continue  # a damaged run is shown with the runs
        if file and Path(file).is_file():
            runs.setdefault(Path(file).resolve(), []).append(f"{run.folder.parent.name}/{run.id}")
    folder = Path(studies)
    found = [path.resolve() for path in folder.glob(f"*/{STUDY_FILE}") if not path.parent.name.startswith(".")]
    paths = dict.fromkeys([*sorted(found), *sorted(runs)])
    return sorted((_describe(path, tuple(runs.get(path, ()))) for path in paths), key=lambda study: (study.name, study.id))


def find_study(studies: str | Path, workspace: str | Path, id: str) -> KnownStudy:
    """A known study by its id.

    Raises
    ------
    MissingFileError
        There is none of that id.

    Examples
    --------
    >>> find_study("no/such/folder", "no/such/workspace", "../etc")
    Traceback (most recent call last):
        ...
    alm_core.errors.MissingFileError: There is no study '../etc'. It may have been moved or deleted.
    """
    for study in list_studies(studies, workspace):
        if study.id == id:
            return study
    raise MissingFileError(f"There is no study {str(id)[:80]!r}. It may have been moved or deleted.")


def _describe(path: Path, runs: tuple[str, ...]) -> KnownStudy:
    id = hashlib.sha256(str(path).encode()).hexdigest()[:12]
    try:
        study = Study.load(path)
    except (AlmError, OSError) as fault:
        return KnownStudy(id, path, path.parent.name, fault=str(fault), runs=runs)
    head, options = study.options.study, study.options
    table = Path(options.sites.table).name if options.sites else ""
    variables = len(options.days.variables) if options.days else 0
    layers = len(options.covariates)
    return KnownStudy(id, path, head.name, head.title, head.simulated, table, layers, variables, runs=runs)
