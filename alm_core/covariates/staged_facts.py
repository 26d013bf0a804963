"""What a staged file was when it was staged, and whether it still is.

Models are trained on numbers taken from the staged files. A file that another program cut, moved to another CRS or filled
with other numbers afterwards would still map, wrongly; so its facts are written into stack.json and compared before a map.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rasterio.io import DatasetReader

from alm_core.covariates.alignment import same_crs, short_crs
from alm_core.covariates.raster import open_raster
from alm_core.errors import AlmError, CrsError, GridError, NodataError, RasterError
from alm_core.grid import Grid, normal_crs
from alm_core.workspace import hash_file

TRANSFORM_TOLERANCE = 1e-6
"""Part of a cell by which a corner may differ: file formats round the last digits of a transform."""
WHAT_TO_DO = (
    "Models were trained on the file as it was. Put it back, or delete the folder of the staged covariates and run the study "
    "again: they are staged anew from its rasters."
)
Digest = Callable[[Path], str]


@dataclass(frozen=True)
class StagedFile:
    """Facts of one staged file.

    Attributes
    ----------
    size_bytes : int
    sha256 : str
        Of the content. Reading a large stack costs more than mapping a small part of it, so the content is only read again
        where `modified_ns` is not what it was; see `changed_content`.
    dtype : str
    nodata : str or None
        As text, because JSON has no NaN.
    bands : int
    scale, offset : float
    modified_ns : int
        Time of the last change, nanoseconds. Says nothing of the content, so two files that differ only here are equal.
    """

    size_bytes: int
    sha256: str
    dtype: str
    nodata: str | None
    bands: int
    scale: float
    offset: float
    modified_ns: int = field(compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> StagedFile:
        """Inverse of `to_dict`."""
        return cls(**values)


def staged_file(path: Path, *, digest: Digest = hash_file) -> StagedFile:
    """Take the facts of one finished file."""
    status = path.stat()
    with open_raster(path) as dataset:
        return StagedFile(
            size_bytes=status.st_size,
            sha256=digest(path),
            dtype=dataset.dtypes[0],
            nodata=_text(dataset.nodata),
            bands=dataset.count,
            scale=float(dataset.scales[0]),
            offset=float(dataset.offsets[0]),
            modified_ns=status.st_mtime_ns,
        )


def staged_files(paths: Mapping[str, Path], *, workers: int = 1) -> dict[str, StagedFile]:
    """Take the facts of all files of a stack, on threads: hashing releases the GIL."""
    with ThreadPoolExecutor(max(1, workers)) as pool:
        return dict(zip(paths, pool.map(staged_file, paths.values()), strict=True))


def header_fault(dataset: DatasetReader, name: str, expected: StagedFile, grid: Grid) -> AlmError | None:
    """What the header of an open file says that it did not say when it was staged; None where nothing.

    Cheap: asked every time that a reader opens a file.
    """
    if (dataset.height, dataset.width) != grid.shape or _moved(dataset, grid):
        came = f"{dataset.height} x {dataset.width} cells, transform {tuple(dataset.transform[:6])}"
        wanted = f"{grid.shape[0]} x {grid.shape[1]} cells, transform {grid.transform}"
        return _fault(GridError, name, "grid", came, wanted)
    crs = normal_crs(dataset.crs.to_wkt()) if dataset.crs else None
    if not same_crs(crs, grid.crs):
        return _fault(CrsError, name, "CRS", short_crs(crs) if crs else "no CRS", short_crs(grid.crs) if grid.crs else "no CRS")
    facts = (
        (RasterError, "number of bands", dataset.count, expected.bands),
        (RasterError, "data type", dataset.dtypes[0], expected.dtype),
        (NodataError, "nodata", _text(dataset.nodata), expected.nodata),
        (RasterError, "scale", float(dataset.scales[0]), expected.scale),
        (RasterError, "offset", float(dataset.offsets[0]), expected.offset),
    )
    for kind, what, came, wanted in facts:
        if came != wanted:
            return _fault(kind, name, what, came, wanted)
    return None


def changed_content(path: Path, name: str, expected: StagedFile, *, digest: Digest = hash_file) -> AlmError | None:
    """The fault of a file whose content is not what was staged; None where it is.

    Three steps, the cheap ones first: another size is another content; the same size and the same time of change is taken
    for the same content; only a file that was touched since (or copied without its time) is read and hashed.

    Parameters
    ----------
    digest : callable
        Gives the SHA-256 of a file. A `alm_core.workspace.FileHashes` remembers it, so that a touched file is read once.
    """
    status = path.stat()
    if status.st_size != expected.size_bytes:
        return _fault(RasterError, name, "size", f"{status.st_size} bytes", f"{expected.size_bytes} bytes")
    if status.st_mtime_ns == expected.modified_ns:
        return None
    found = digest(path)
    if found != expected.sha256:
        return _fault(RasterError, name, "content", f"SHA-256 {found[:12]}...", f"{expected.sha256[:12]}...")
    return None


def file_faults(
    paths: Mapping[str, Path], expected: Mapping[str, StagedFile], grid: Grid, *, digest: Digest = hash_file
) -> list[AlmError]:
    """Every fault of the files of a stack: not there, unreadable, another header, another content. Nothing is raised."""
    faults: list[AlmError] = []
    for name, path in paths.items():
        if name not in expected:
            faults.append(RasterError(f"stack.json knows nothing of the staged layer {name}. {WHAT_TO_DO}"))
            continue
        try:
            with open_raster(path) as dataset:
                found = header_fault(dataset, name, expected[name], grid)
        except AlmError as fault:
            found = RasterError(f"The staged layer {name} can't be read any more: {fault} {WHAT_TO_DO}")
        found = found or changed_content(path, name, expected[name], digest=digest)
        faults += [found] if found is not None else []
    return faults


def resized(paths: Mapping[str, Path], expected: Mapping[str, StagedFile]) -> Sequence[str]:
    """Names of the files whose size is not what it was; costs one look into the folder for each."""
    return [name for name, path in paths.items() if name in expected and path.stat().st_size != expected[name].size_bytes]


def _moved(dataset: DatasetReader, grid: Grid) -> bool:
    """True where a corner lies more than a rounding error from that of the grid."""
    width, height = grid.resolution
    rows, columns = grid.shape
    transform = dataset.transform
    if transform.b or transform.d:
        return True
    west, north = grid.transform[2], grid.transform[5]
    east, south = west + width * columns, north - height * rows
    found = transform.c, transform.f, transform.c + transform.a * columns, transform.f + transform.e * rows
    cells = (found[0] - west) / width, (found[1] - north) / height, (found[2] - east) / width, (found[3] - south) / height
    return max(abs(shift) for shift in cells) > TRANSFORM_TOLERANCE


def _text(nodata: float | None) -> str | None:
    return None if nodata is None else repr(float(nodata))


def _fault(kind: type[AlmError], name: str, what: str, came: Any, wanted: Any) -> AlmError:
    layer = "The mask" if name == "mask" else f"The staged layer {name}"
    return kind(f"{layer} was changed after it was staged: its {what} is {came}, {wanted} was expected. {WHAT_TO_DO}")
