"""Uploaded rasters."""

from __future__ import annotations

import io

import numpy as np
import pytest
import rasterio

from alm_core.uploads import UploadError
from alm_core.uploads.raster import receive_raster
from tests.uploads import files

DISGUISED = [files.VRT, files.OGR_VRT, b"a text", b"\0" * 100, b"II*\x00", b"PK\x03\x04", b"II*\x00" + b"\xff" * 500]


def refused(folder, data, name="dem.tif"):
    """The message of a refusal that left nothing on disk and tells no path."""
    with pytest.raises(UploadError) as caught:
        receive_raster(data, name, folder)
    assert list(folder.iterdir()) == []
    assert str(folder) not in str(caught.value)
    return str(caught.value)


def test_a_raster_is_stored_under_a_layer_name(folder):
    """What is stored is what came, under a name of ours."""
    path = receive_raster(io.BytesIO(files.geotiff()), "../NDVI 2010 (mean).TIFF", folder)
    assert path == folder / "NDVI_2010_mean.tif"
    assert path.read_bytes() == files.geotiff()


def test_names_are_made_unique(folder):
    """Two files of one name, whatever the case of its letters."""
    first = receive_raster(files.geotiff(), "a/dem.tif", folder)
    assert receive_raster(files.geotiff(), "b/DEM.tif", folder, taken=[first.stem]) == folder / "DEM_2.tif"


@pytest.mark.parametrize("name", ["dem.vrt", "dem.png", "dem", "dem.tif.aux.xml", "dem.tif.ovr", "dem.msk", "tif"])
def test_other_suffixes_are_refused(folder, name):
    """Sidecars among them."""
    assert ".tif, .tiff" in refused(folder, files.geotiff(), name)


@pytest.mark.parametrize("content", DISGUISED)
def test_files_in_disguise_are_refused(folder, content):
    """A VRT that reads a local file, an OGR VRT, a text, NUL bytes, a TIFF that ends after its head."""
    text = refused(folder, content)
    assert text.startswith("dem.tif")


def test_an_empty_file_is_refused(folder):
    """0 bytes."""
    assert "empty (0 bytes)" in refused(folder, b"")


@pytest.mark.parametrize("part", [0.3, 0.9])
def test_a_truncated_raster_is_refused(folder, part):
    """A download that broke off, wherever its directory lies."""
    whole = files.geotiff(
        np.random.default_rng(1).random((256, 256)).astype(np.float32), tiled=True, blockxsize=64, blockysize=64
    )
    assert "truncated" in refused(folder, whole[: int(len(whole) * part)])


def test_a_raster_that_decodes_to_hundreds_of_gigabytes_is_refused(folder):
    """A few kilobytes that claim 90 billion cells."""
    bomb = files.sparse_geotiff(300_000)
    assert len(bomb) < 2**20
    assert "cells a band" in refused(folder, bomb)


def test_many_bands_that_decode_to_too_much_are_refused(folder, monkeypatch):
    """Each band alone would be taken."""
    monkeypatch.setattr("alm_core.uploads.raster.RASTER_DECODED_BYTES", 1_000)
    assert "decodes to" in refused(folder, files.geotiff())


def test_too_many_bands_are_refused(folder):
    """A bound on bands."""
    assert "201 bands; at most 200" in refused(folder, files.geotiff(np.ones((201, 4, 4), np.uint8)))


def test_a_raster_in_very_many_pieces_is_refused(folder, monkeypatch):
    """Each piece costs a look."""
    monkeypatch.setattr("alm_core.uploads.raster.RASTER_TILES", 10)
    assert "pieces" in refused(folder, files.geotiff(blockysize=1))


def test_complex_numbers_are_refused(folder):
    """They are no layer."""
    assert "complex" in refused(folder, files.geotiff(np.ones((4, 4), np.complex64)))


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_picture_without_georeference_is_refused(folder):
    """It lies nowhere."""
    assert "no georeference" in refused(folder, files.geotiff(crs=None, transform=rasterio.Affine.identity()))


def test_sidecars_are_not_followed(folder, tmp_path):
    """Overviews and statistics beside the file are not looked at, even where somebody put them there."""
    path = receive_raster(files.geotiff(), "dem.tif", folder)
    (folder / "dem.tif.ovr").write_bytes(files.VRT)
    (folder / "dem.tif.aux.xml").write_text("<PAMDataset><Metadata><MDI key='EVIL'>1</MDI></Metadata></PAMDataset>")
    from alm_core.covariates.raster import open_raster

    with open_raster(path) as dataset:
        assert dataset.overviews(1) == []
        assert "EVIL" not in dataset.tags()


def test_too_large_a_file_is_refused(folder, monkeypatch):
    """Stopped while it is written."""
    monkeypatch.setattr("alm_core.uploads.raster.RASTER_BYTES", 2**20)
    assert "more than 1 MB" in refused(folder, io.BytesIO(bytes(3 * 2**20)))
