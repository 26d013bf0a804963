"""Files that a visitor hands in: bounded, stored under names of ours, looked at before anything else reads them.

`receive_area` takes an area, `StudyDraft` the table and the rasters of a new study. Nothing of a refused file stays on disk.
"""

from __future__ import annotations

from alm_core.uploads.area import receive_area
from alm_core.uploads.draft import StudyDraft
from alm_core.uploads.faults import UploadError
from alm_core.uploads.limits import AREA_SUFFIXES, RASTER_SUFFIXES, TABLE_SUFFIXES

__all__ = ["AREA_SUFFIXES", "RASTER_SUFFIXES", "TABLE_SUFFIXES", "StudyDraft", "UploadError", "receive_area"]
