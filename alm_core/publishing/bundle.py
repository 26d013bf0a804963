"""Everything of a run in one zip: rasters, card, catalogue item, scores, tables, the study as it was run, scenarios.

The same run gives the same bytes: files in the order of their names, no times, and a list of SHA-256 hashes at the end that
``sha256sum --check MANIFEST.sha256`` verifies. Files are streamed, so a large run needs no memory.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from alm_core.errors import MissingFileError
from alm_core.mapping.files import readable_bytes, whole_file
from alm_core.publishing.citation import cite
from alm_core.publishing.provenance import provenance, study_toml
from alm_core.workspace import RECORD, Run, hash_values, list_runs

CHUNK_BYTES = 1 << 22
MANIFEST = "MANIFEST.sha256"
README = "README.txt"
NO_TIME = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can hold: real ones would change the bytes."""
PACKED = {".tif", ".png", ".npz", ".parquet"}
"""Already compressed: packing them again costs time and saves nothing."""
FILES: Mapping[str, str] = {
    "card.html": "Map card: what was mapped, from what, how good it is, where not to trust it. Open it in a browser.",
    "stac.json": "STAC item of the map for data catalogues; its links point to the files of this folder.",
    "metrics.json": "Scores per validation scheme, per learner and fused, with bootstrap intervals.",
    "folds.json": "Which fold tested which site, and the distances between sites, folds and map.",
    "selection.json": "How the covariates were chosen.",
    "selection_path.csv": "The elimination path of the covariates.",
    "importance.json": "Mean |SHAP| of every covariate, per learner and fused.",
    "fusion.json": "Weights, bias correction and interval model of the fusion.",
    "applicability.json": "The area of applicability: scaling, weights, training points, threshold.",
    "truth.json": "Judgement of the map against the known truth of simulated data.",
    "sites.json": "Counts of the site table and of the screening rules.",
    "map/fused.tif": "The map: fused and bias-corrected value (cloud-optimised GeoTIFF).",
    "map/members.tif": "Predictions of the members, one band each (of classes: one band per member and class).",
    "map/uncertainty.tif": "Bounds of the interval (or margin of the classes), dissimilarity, local point density, area of "
    "applicability (1 inside, 0 outside).",
    "map/probability.tif": "Probability of every class.",
    "map/thumbnail.png": "Small picture of the map; hatched: outside the area of applicability.",
    "map/map.json": "Counts of cells and codes of classes.",
    "map/shap.tif": "SHAP values of the most important covariates on a coarse grid.",
}
"""Path in the run, which is also the path in the zip, and what the file is."""
TABLES: Mapping[str, tuple[str, str]] = {
    "tables/sites.csv": ("sites.parquet", "All sites of the table, kept or removed and why."),
    "tables/samples.csv": ("samples.parquet", "The kept sites with their covariates."),
    "tables/out_of_fold.csv": ("out_of_fold.parquet", "Predictions of every site by models that never saw it."),
    "tables/shap.csv": ("shap.parquet", "SHAP values of the fused prediction at every site."),
}
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Part:
    """One file of the zip: either `source`, a file, or `content`, a text made for it."""

    name: str
    about: str
    source: Path | None = None
    content: bytes = b""

    @property
    def size(self) -> int:
        """Bytes before packing."""
        return self.source.stat().st_size if self.source else len(self.content)

    def chunks(self) -> Iterator[bytes]:
        """Its bytes in pieces."""
        with open(self.source, "rb") if self.source else io.BytesIO(self.content) as stream:
            while chunk := stream.read(CHUNK_BYTES):
                yield chunk


@dataclass(frozen=True)
class Bundle:
    """What was written.

    Attributes
    ----------
    path : Path
    size_bytes : int
    sha256 : str
        Of the whole zip.
    files : dict of str to str
        SHA-256 of every file in it.
    """

    path: Path
    size_bytes: int
    sha256: str
    files: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"name": self.path.name, "size_bytes": self.size_bytes, "sha256": self.sha256, "files": self.files}


def bundle_name(run: Run) -> str:
    """Name of the zip of a run."""
    return f"{run.folder.parent.name}-{run.id}.zip"


def bundle_parts(run: Run) -> list[Part]:
    """Every file that goes into the zip, by name; what the run does not have is left out."""
    parts = [Part(name, about, run.folder / name) for name, about in FILES.items() if (run.folder / name).is_file()]
    for name, (source, about) in TABLES.items():
        if (run.folder / source).is_file():
            parts.append(Part(name, about, content=table_csv(run, source)))
    for path in sorted((run.folder / "scenarios").glob("*.json")):
        parts.append(Part(f"scenarios/{path.name}", "A scenario that was saved for this run.", path))
    citation = cite(run)
    parts += [
        Part("study.toml", "The study as it was run, every default written out.", content=study_toml(run).encode()),
        Part(RECORD, "Inputs with their hashes, versions, seed, stages and their times.", content=_record(run)),
        Part("CITATION.txt", "How to cite this map.", content="\n\n".join([*citation.text.values(), ""]).encode()),
        Part("citation.bib", "The same for reference managers (BibTeX).", content=citation.bibtex.encode()),
        Part("citation.ris", "The same for reference managers (RIS).", content=citation.ris.encode()),
    ]
    parts.append(Part(README, "This list.", content=_readme(run, parts).encode()))
    return sorted(parts, key=lambda part: part.name)


def bundle_size(run: Run) -> int:
    """Bytes of the files of the zip before packing, without the texts that are made for it."""
    names = [name for name in FILES if (run.folder / name).is_file()]
    return sum((run.folder / name).stat().st_size for name in names)


def bundle_version(run: Run) -> str:
    """Changes whenever a file of the zip does, a saved scenario too: tells whether an older zip still holds."""
    names = [*FILES, *(source for source, _ in TABLES.values()), RECORD]
    paths = [run.folder / name for name in names] + sorted((run.folder / "scenarios").glob("*.json"))
    stamps = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in paths if path.is_file()]
    return hash_values(stamps)[:16]


def table_csv(run: Run, source: str) -> bytes:
    """A table of a run as CSV, numbers in full, dates as text; a byte order mark so that spreadsheets read it as UTF-8.

    Raises
    ------
    MissingFileError
        The stage that writes it has not been finished.
    """
    return pd.read_parquet(run.file(source)).to_csv(index=False, lineterminator="\n").encode("utf-8-sig")


def write_bundle(run: Run, path: str | Path, *, progress: Progress | None = None) -> Bundle:
    """Write the zip of a run, whole or not at all.

    Parameters
    ----------
    run : Run
        It must have a map.
    path : path
        Target; an older file of that name is replaced at the very end.
    progress : callable, optional
        ``(done, total, message)`` in MiB.

    Raises
    ------
    MissingFileError
        The run has no map yet.
    WorkspaceError
        The disk is full or read-only.
    """
    if not (run.folder / "map" / "fused.tif").is_file():
        raise MissingFileError(f"Run {run.id} has no map yet, so there is nothing to bundle. Finish the run first.")
    path, parts = Path(path), bundle_parts(run)
    total = sum(part.size for part in parts)
    hashes: dict[str, str] = {}
    done = 0
    with (
        whole_file(path, bytes_needed=total) as temporary,
        zipfile.ZipFile(temporary, "w", allowZip64=True) as archive,
    ):
        for part in parts:
            digest = hashlib.sha256()
            with archive.open(_entry(part.name), "w", force_zip64=True) as target:
                for chunk in part.chunks():
                    digest.update(chunk)
                    target.write(chunk)
                    done += len(chunk)
                    if progress:
                        progress(*_mebibytes(done, total), part.name)
            hashes[part.name] = digest.hexdigest()
        with archive.open(_entry(MANIFEST), "w") as target:
            target.write("".join(f"{digest}  {name}\n" for name, digest in hashes.items()).encode())
    return Bundle(path, path.stat().st_size, _hash(path), hashes)


def bundle_job(spec: dict[str, Any], *, workspace: Path, folder: Path, report: Progress) -> dict[str, Any]:
    """The zip of a run as a job.

    Parameters
    ----------
    spec : dict
        ``run``: ``study/run id`` of a run of the workspace.
    workspace : Path
    folder : Path
        Takes the zip.
    report : callable
        ``(done, total, message)``.
    """
    wanted = spec["run"]
    for run in list_runs(workspace):
        if f"{run.folder.parent.name}/{run.id}" == wanted:
            bundle = write_bundle(run, Path(folder) / bundle_name(run), progress=report)
            return {"file": bundle.path.name, **bundle.to_dict()}
    raise MissingFileError(f"There is no run {str(wanted)[:80]!r} in this workspace. It may have been deleted: reload the page.")


def _entry(name: str) -> zipfile.ZipInfo:
    """An entry without time and with plain permissions, packed where that saves anything."""
    entry = zipfile.ZipInfo(name, NO_TIME)
    entry.compress_type = zipfile.ZIP_STORED if Path(name).suffix in PACKED else zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    entry.create_system = 3  # else the byte would tell the machine that wrote it
    return entry


def _mebibytes(done: int, total: int) -> tuple[int, int]:
    """Whole MiB, at least one, for a progress that counts in steps."""
    size = 1 << 20
    most = max(1, -(-total // size))
    return min(most, done // size if done < total else most), most


def _hash(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _record(run: Run) -> bytes:
    """run.json without the place of the study on this machine."""
    record = dict(run.record)
    record["study_file"] = Path(record["study_file"]).name if record.get("study_file") else None
    return (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode()


def _readme(run: Run, parts: list[Part]) -> str:
    facts = provenance(run)
    width = max(len(part.name) for part in parts)
    made_last = [
        Part(README, "This list."),
        Part(MANIFEST, "SHA-256 of every other file; check with: sha256sum --check MANIFEST.sha256"),
    ]
    listed = sorted([*parts, *made_last], key=_by_name)
    lines = [facts.title, "=" * len(facts.title), ""]
    if facts.simulated:
        lines += ["SIMULATED DATA: sites and covariates come from written formulas. Nothing here is an observation.", ""]
    lines += [
        f"Study {facts.study}, run {facts.run}, {facts.created}. Rasters: {readable_bytes(bundle_size(run))}.",
        "",
        "Files",
        "-----",
        *(f"{part.name:<{width}}  {part.about}" for part in listed),
        "",
        cite(run).text["en"],
    ]
    return "\n".join(lines) + "\n"


def _by_name(part: Part) -> str:
    return part.name
