"""Receive a raster layer."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO

import numpy as np
from rasterio.io import DatasetReader

from alm_core.covariates.raster import check_band, check_whole, open_raster
from alm_core.uploads.faults import UploadError, told_as
from alm_core.uploads.limits import RASTER_BANDS, RASTER_BYTES, RASTER_CELLS, RASTER_DECODED_BYTES, RASTER_SUFFIXES, RASTER_TILES
from alm_core.uploads.names import checked_suffix, layer_name, shown_name
from alm_core.uploads.storing import stored


def receive_raster(data: bytes | BinaryIO, name: str, folder: Path, *, taken: Collection[str] = ()) -> Path:
    """Store a GeoTIFF as ``<layer name>.tif`` in a folder of ours, which holds nothing but such files.

    It is opened as GeoTIFF only, beside no sidecar file, and no cell of it is read here.

    Parameters
    ----------
    data : bytes or binary file
    name : str
        What its owner calls it; a layer name is made of it, see `alm_core.uploads.names.layer_name`.
    folder : Path
    taken : collection of str
        Layer names that are in use.

    Raises
    ------
    UploadError
        It is empty, too large, no GeoTIFF (a VRT or a text in disguise), truncated, without georeference, or decodes to too much.
    """
    shown = shown_name(name)
    checked_suffix(name, RASTER_SUFFIXES)
    target = folder / f"{layer_name(name, taken)}.tif"
    with stored(data, target, maximum_bytes=RASTER_BYTES, shown=shown) as path, told_as(path, shown):
        with open_raster(path, maximum_cells=RASTER_CELLS) as dataset:
            _check_size(dataset, shown)
            for band in range(1, dataset.count + 1):
                check_band(dataset, band)
                check_whole(dataset, band)
        return path


def _check_size(dataset: DatasetReader, shown: str) -> None:
    if dataset.count > RASTER_BANDS:
        raise UploadError(f"{shown} has {dataset.count} bands; at most {RASTER_BANDS} are taken. Split it.")
    decoded = sum(dataset.width * dataset.height * _item_bytes(dtype) for dtype in dataset.dtypes)
    if decoded > RASTER_DECODED_BYTES:
        raise UploadError(
            f"{shown} decodes to {decoded / 2**30:,.0f} GB ({dataset.count} bands of {dataset.width} x {dataset.height} cells); "
            f"at most {RASTER_DECODED_BYTES // 2**30} GB are taken. Cut it to the study area or split its bands."
        )
    tiles = sum(-(-dataset.height // rows) * -(-dataset.width // columns) for rows, columns in dataset.block_shapes)
    if tiles > RASTER_TILES:
        raise UploadError(
            f"{shown} is stored in {tiles:,} pieces; at most {RASTER_TILES:,} are taken. "
            "Write it in larger tiles: `gdal_translate -co TILED=YES`."
        )


def _item_bytes(dtype: str) -> int:
    """Bytes of one cell; GDAL has complex integers that numpy does not know."""
    return np.dtype(dtype).itemsize if dtype in np.sctypeDict else 8
