"""Every fault that the package raises on purpose.

One small class per kind of fault, so that a caller (the command line, a page) can react to the class without reading the
text. The text always says three things: what came, what was expected, what to do.
"""

from __future__ import annotations


class AlmError(Exception):
    """Base of all faults that a user can mend. The command line prints the text and exits with 1."""


class StudyError(AlmError):
    """study.toml is not valid: an unknown key, a wrong type, a value outside its range."""


class MissingFileError(AlmError):
    """A file that the study names is not there."""


class TableError(AlmError):
    """A site table can't be read, or a column is missing or has text where numbers belong."""


class SitesError(AlmError):
    """The sites read well but can't be used: too few, a constant target, duplicate ids."""


class RasterError(AlmError):
    """A raster can't be read: truncated, not a GeoTIFF, rotated, no band of that number."""


class CrsError(AlmError):
    """A coordinate reference system is missing, unknown or not the one that is needed."""


class GridError(AlmError):
    """Two rasters or a raster and a grid don't fit together: no overlap, other shape, other cell size."""


class NodataError(AlmError):
    """A raster holds a value that looks like nodata but never declares it, or nothing but nodata."""


class DomainError(AlmError):
    """A number is outside what the quantity can be."""


class TooManyPixelsError(AlmError):
    """A raster would decode to more than the caller allows."""


class FoldsError(AlmError):
    """Folds can't be made: fewer sites or groups than folds, or an empty fold."""


class LeakError(AlmError):
    """Something fitted on data is about to be scored on the same data."""


class LearnerError(AlmError):
    """A learner is unknown, does not fit the task, or failed while it was fitted."""


class ModelFileError(AlmError):
    """A model file is damaged or of another version."""


class WorkspaceError(AlmError):
    """The workspace can't be written or read: read-only, full, locked by another run."""


class LedgerError(AlmError):
    """The ledger of a run does not match its inputs."""


class RecordError(AlmError):
    """A catalogue record can't be read."""


class EngineError(AlmError):
    """The workers of a map can't be had: a scheduler that does not answer, another program on it, workers that died."""
