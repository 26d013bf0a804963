"""What the stages of a run share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from alm_core.covariates.samples import Samples
from alm_core.covariates.stack import Stack
from alm_core.mapping.engine import Engine
from alm_core.options import StudyOptions
from alm_core.progress import Reporter
from alm_core.study import Study


@dataclass(frozen=True)
class Context:
    """What every stage may use.

    Attributes
    ----------
    study : Study
    folder : Path
        The run.
    run_id : str
    hashes : dict
        Content hash of every input file by its role.
    workers : int
    report : Reporter
        Progress of the stage under way.
    keys : dict
        Keys of the stages so far.
    engine : Engine, optional
        Who maps; default: `workers` threads.
    """

    study: Study
    folder: Path
    run_id: str
    hashes: dict[str, str]
    workers: int
    report: Reporter
    keys: dict[str, str] = field(default_factory=dict)
    engine: Engine | None = None

    @property
    def options(self) -> StudyOptions:
        """Options of the study."""
        return self.study.options

    @property
    def stack(self) -> Stack:
        """The staged covariates."""
        return Stack.open(self.folder / "covariates")

    @property
    def samples(self) -> Samples:
        """The kept sites with their covariates."""
        return Samples.from_parquet(self.folder / "samples.parquet")

    def with_key(self, stage: str, key: str, report: Reporter) -> Context:
        """The same for the next stage."""
        return replace(self, keys={**self.keys, stage: key}, report=report)

    def files(self, *names: str) -> list[Path]:
        """Files of the run by name; folders stand for all files in them."""
        found: list[Path] = []
        for name in names:
            path = self.folder / name
            found += sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
        return found


@dataclass(frozen=True)
class Stage:
    """One step of a run.

    Attributes
    ----------
    name : str
    run : callable
        Does the work and returns the files that it wrote.
    sections : tuple of str
        Sections of study.toml that it depends on.
    inputs : tuple of str
        Roles of input files that it depends on, by how they begin.
    after : tuple of str
        Stages whose results it reads.
    """

    name: str
    run: Callable[[Context], list[Path]]
    sections: tuple[str, ...]
    inputs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
