"""A study made from uploads: received into a hidden folder, looked over, and only then given a place among the studies."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd

from alm_core.checking import Fault, check
from alm_core.guessing import guess_columns, numeric_columns
from alm_core.new import UNKNOWN_CRS, Guess, new_study
from alm_core.sites.reading import read_raw
from alm_core.study import Study
from alm_core.toml_text import toml_string
from alm_core.uploads.faults import UploadError, told_as
from alm_core.uploads.limits import ALL_RASTERS_BYTES, MEGABYTE, RASTERS
from alm_core.uploads.names import shown_name, study_name
from alm_core.uploads.raster import receive_raster
from alm_core.uploads.table import receive_table
from alm_core.workspace import disk_faults

DRAFTS = ".uploads"
LAYERS = "covariates"
FORGOTTEN_SECONDS = 24 * 3600
"""A draft that nobody made a study of is cleared away after this long."""
PREVIEW_ROWS = 8
NO_TITLE = 'title = ""'
GONE = "The uploaded files are not there any more. Choose and check them again."
Upload = tuple[str, bytes | BinaryIO]
"""What its owner calls a file, and what is in it."""


@dataclass(frozen=True)
class Examination:
    """What was found in a draft: every guess, every fault, the first rows.

    Attributes
    ----------
    guesses : tuple of Guess
    faults : tuple of Fault
        Errors first.
    columns : tuple of str
        Columns of numbers, any of which may be the one to map.
    target : str
        The one that is taken; empty where none could be guessed.
    crs_wanted : bool
        A CRS is missing and must be given.
    preview : pandas.DataFrame
        First rows as text.
    rows, layers : int
        Sites of the table, layers that are offered to the learners.
    """

    guesses: tuple[Guess, ...]
    faults: tuple[Fault, ...]
    columns: tuple[str, ...]
    target: str
    crs_wanted: bool
    preview: pd.DataFrame
    rows: int
    layers: int

    @property
    def ok(self) -> bool:
        """True where no fault keeps the study from being run."""
        return not any(fault.severity == "error" for fault in self.faults)

    def to_dict(self) -> dict[str, Any]:
        """The examination as plain values, for JSON."""
        return {
            "ok": self.ok,
            "guesses": [guess.to_dict() for guess in self.guesses],
            "faults": [fault.to_dict() for fault in self.faults],
            "columns": list(self.columns),
            "target": self.target,
            "crs_wanted": self.crs_wanted,
            "rows": self.rows,
            "layers": self.layers,
        }


@dataclass(frozen=True)
class StudyDraft:
    """Uploaded files in a folder of their own, ``<studies>/.uploads/<random>/<name>/``.

    Attributes
    ----------
    folder : Path
    table : Path
        The site table.
    """

    folder: Path
    table: Path

    @classmethod
    def receive(cls, studies: str | Path, *, table: Upload, rasters: Sequence[Upload]) -> StudyDraft:
        """Store and check all files of a new study.

        Parameters
        ----------
        studies : path
            Folder of the studies.
        table : (name, content)
        rasters : sequence of (name, content)

        Raises
        ------
        UploadError
            Some file is refused; all are named, one line each, and nothing stays on disk.
        WorkspaceError
            The disk is full or the folder can't be written.
        """
        root = Path(studies).resolve() / DRAFTS
        _clear_forgotten(root)
        folder = root / secrets.token_hex(8) / "study"
        with disk_faults(folder):
            (folder / LAYERS).mkdir(parents=True)
        try:
            return cls(folder, _receive_all(folder, table, rasters))
        except BaseException:
            shutil.rmtree(folder.parent, ignore_errors=True)
            raise

    def named(self, name: str) -> StudyDraft:
        """The draft under the name that its study is to have.

        Raises
        ------
        UploadError
            The name has no Latin letter or digit, or the draft has been cleared away.
        """
        folder = self.folder.with_name(study_name(name))
        if not self.folder.is_dir():
            raise UploadError(GONE)
        if folder != self.folder:
            os.rename(self.folder, folder)
        return StudyDraft(folder, folder / self.table.name)

    def examine(self, *, title: str = "", target: str | None = None, crs: str | None = None) -> Examination:
        """Write study.toml from guesses and check everything.

        Parameters
        ----------
        title : str
            What a person calls the study.
        target : str, optional
            Column to map, where the guess is wrong.
        crs : str, optional
            CRS of what declares none.

        Raises
        ------
        UploadError
            The table, the target, the rasters or the CRS can't be used, or the draft has been cleared away.
        """
        layers = self.folder / LAYERS
        if not layers.is_dir():
            raise UploadError(GONE)
        with told_as(self.folder, self.folder.name):
            made = new_study(self.folder, sites=self.table, covariates=layers, target=target, crs=crs or None, overwrite=True)
            _set_title(made.path, title)
            raw = read_raw(self.table)
            report = check(made.path)
            columns = guess_columns(raw.frame, geometry=raw.x is not None, target=target)
        return Examination(
            guesses=tuple(replace(guess, why=self._plain(guess.why)) for guess in made.guesses),
            faults=tuple(replace(fault, message=self._plain(fault.message)) for fault in report.ordered()),
            columns=tuple(numeric_columns(raw.frame)),
            target=columns["value"].column if "value" in columns else "",
            crs_wanted=any(guess.value == UNKNOWN_CRS for guess in made.guesses),
            preview=raw.frame.head(PREVIEW_ROWS).astype(str),
            rows=len(raw.frame),
            layers=len(Study.load(made.path).options.covariates),
        )

    def create(self, studies: str | Path) -> Path:
        """Give the draft its place among the studies.

        Returns
        -------
        Path
            Its study.toml.

        Raises
        ------
        UploadError
            There is a study of that name, or the draft has been cleared away.
        """
        if not (self.folder / "study.toml").is_file():
            raise UploadError(GONE)
        target = free_name(studies, self.folder.name)
        with disk_faults(target):
            os.rename(self.folder, target)
        self.discard()
        return target / "study.toml"

    def discard(self) -> None:
        """Delete the uploaded files; a study that was made of them stays."""
        shutil.rmtree(self.folder.parent, ignore_errors=True)

    def _plain(self, text: str) -> str:
        """A text without the folders of this machine."""
        for folder in (self.folder / LAYERS, self.folder):
            text = text.replace(f"{folder}{os.sep}", "").replace(str(folder), folder.name)
        return text


def free_name(studies: str | Path, name: str) -> Path:
    """The folder that a study of this name would have.

    Raises
    ------
    UploadError
        There is one already, or the name has no Latin letter or digit.
    """
    target = Path(studies).resolve() / study_name(name)
    if target.exists():
        raise UploadError(f"There is a study {target.name} already. Choose another name.")
    return target


def _receive_all(folder: Path, table: Upload, rasters: Sequence[Upload]) -> Path:
    """Store every file, and name every one that is refused."""
    refused: list[str] = []
    stored = folder
    try:
        stored, _ = receive_table(table[1], table[0], folder)
    except UploadError as fault:
        refused.append(str(fault))
    if not rasters:
        refused.append("No raster came. At least one GeoTIFF (.tif) is expected: what is known of every place on the map.")
    if len(rasters) > RASTERS:
        raise UploadError(f"{len(rasters)} rasters came; at most {RASTERS} are taken. Make several bands of one file.")
    taken: list[str] = []
    total = 0
    for name, data in rasters:
        try:
            path = receive_raster(data, name, folder / LAYERS, taken=taken)
        except UploadError as fault:
            refused.append(str(fault))
            continue
        taken.append(path.stem)
        total += path.stat().st_size
        if total > ALL_RASTERS_BYTES:
            raise UploadError(
                f"The rasters up to {shown_name(name)} have more than {ALL_RASTERS_BYTES // MEGABYTE} MB together. "
                "Cut them to the study area, or make the study on the command line."
            )
    if refused:
        raise UploadError("\n".join(refused))
    return stored


def _set_title(path: Path, title: str) -> None:
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(NO_TITLE, f"title = {toml_string(title.strip()[:200])}", 1), encoding="utf-8", newline="\n")


def _clear_forgotten(root: Path) -> None:
    if not root.is_dir():
        return
    for path in root.iterdir():
        if time.time() - path.stat().st_mtime > FORGOTTEN_SECONDS:
            shutil.rmtree(path, ignore_errors=True)
