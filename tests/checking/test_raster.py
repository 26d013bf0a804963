"""Checks of single GeoTIFFs: every way in which one can be broken has a code; a sound one has no error."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from rasterio.transform import Affine

from alm_core.checking import check
from alm_core.checking.raster import check_raster
from tests.checking.conftest import write_tif


def codes(path, **options):
    """Codes of errors and warnings."""
    return {fault.code for fault in check_raster(path, **options) if fault.severity != "note"}


def test_sound_raster_is_clean(tmp_path, smooth):
    """A raster with a CRS, a unit and values that vary has neither errors nor warnings."""
    path = write_tif(tmp_path / "dem.tif", smooth, nodata=-9999.0, tags={"units": "m"})
    report = check(path)
    assert report.kind == "raster"
    assert report.ok
    assert report.codes == {"no_description"}


def test_real_rasters_raise_no_false_alarm(shared_data):
    """The real covariate stack has no error and no warning."""
    for path in sorted((shared_data / "grids_qtp_0p05").glob("*.tif")):
        assert codes(path) == set(), path.name


def test_real_raster_without_crs_is_named(shared_data):
    """The meuse rasters carry no CRS; a study that names one is content."""
    path = shared_data / "benchmark_meuse" / "dem.tif"
    assert codes(path) == {"no_crs"}
    assert codes(path, crs="EPSG:28992") == set()


def rotated(path, smooth):
    """A raster turned by 45 degrees."""
    turn = Affine(0.035, 0.035, 90, 0.035, -0.035, 34)
    return write_tif(path, smooth, transform=turn)


def truncated(path, smooth):
    """A raster whose second half was never downloaded."""
    random = np.random.default_rng(0).normal(size=(200, 200)).astype(np.float32)
    write_tif(path, random)
    path.write_bytes(path.read_bytes()[:80_000])
    return path


def disguised(path, smooth):
    """A VRT with the name of a GeoTIFF."""
    write_tif(path.with_name("hidden.tif"), smooth)
    path.write_text('<VRTDataset rasterXSize="60" rasterYSize="40"></VRTDataset>', encoding="utf-8")
    return path


def sparse(path, smooth):
    """A few kilobytes that decode to hundreds of gigabytes."""
    with rasterio.open(
        path, "w", driver="GTiff", width=400_000, height=400_000, count=1, dtype="float32", crs="EPSG:3857", sparse_ok=True,
        tiled=True, blockxsize=16384, blockysize=16384, bigtiff="YES", transform=Affine(30, 0, 0, 0, -30, 0),
    ):  # fmt: skip
        pass
    return path


def of_values(values, **options):
    """A maker of a raster with given values in its first cells."""

    def make(path, smooth):
        array = smooth.astype(options.pop("dtype", "float32"))
        array[:2, : len(values)] = values
        return write_tif(path, array, **options)

    return make


BROKEN = {
    "raster_rotated": rotated,
    "raster_truncated": truncated,
    "not_geotiff": disguised,
    "raster_too_large": sparse,
    "no_crs": lambda path, smooth: write_tif(path, smooth, crs=None),
    "bounds_range": lambda path, smooth: write_tif(path, smooth, west=1000.0, cell=30.0),
    "longitudes_0_360": lambda path, smooth: write_tif(path, smooth, west=300.0),
    "crs_doubtful": lambda path, smooth: write_tif(path, smooth, crs="EPSG:32646"),
    "sentinel": of_values([-9999.0] * 8),
    "infinite": of_values([np.inf]),
    "constant": lambda path, smooth: write_tif(path, np.full((20, 20), 3, np.int16)),
    "all_nodata": lambda path, smooth: write_tif(path, np.full((20, 20), -1, np.int16), nodata=-1),
    "nodata_among_values": of_values([4000.0], nodata=4000.0),
    "statistics_stale": lambda path, smooth: write_tif(path, smooth, tags={"STATISTICS_MINIMUM": "0", "STATISTICS_MAXIMUM": "9"}),
    "declared_range": lambda path, smooth: write_tif(path, smooth, tags={"valid_min": "0", "valid_max": "100"}),
    "value_range": lambda path, smooth: write_tif(path, smooth, tags={"units": "m3 m-3"}),
    "nodata_only_in_tag": lambda path, smooth: write_tif(path, smooth, tags={"_FillValue": "-1"}),
    "complex_numbers": lambda path, smooth: write_tif(path, smooth.astype(np.complex64)),
}


@pytest.mark.parametrize("code", sorted(BROKEN))
def test_every_broken_raster_is_named(tmp_path, smooth, code):
    """Each kind of damage has its code, and the text says what to do."""
    path = BROKEN[code](tmp_path / "layer.tif", smooth)
    faults = check_raster(path)
    assert code in {fault.code for fault in faults}
    assert all(fault.message.rstrip().endswith((".", "`")) for fault in faults)


def test_faults_are_named_together(tmp_path, smooth):
    """A rotated raster without CRS and with an undeclared sentinel shows all three at once."""
    smooth[:3, :3] = -9999
    turn = Affine(0.035, 0.035, 90, 0.035, -0.035, 34)
    path = write_tif(tmp_path / "layer.tif", smooth, crs=None, transform=turn)
    assert {"raster_rotated", "no_crs", "sentinel"} <= codes(path)


def test_nan_beside_nodata_is_a_note(tmp_path, smooth):
    """Two ways to write missing are pointed out, no more."""
    smooth[0, 0], smooth[0, 1] = np.nan, -9999
    path = write_tif(tmp_path / "layer.tif", smooth, nodata=-9999.0)
    assert "nan_beside_nodata" in check(path).codes
    assert check(path).ok


def test_scaled_index_gets_its_factor(tmp_path, smooth):
    """An NDVI stored times 10000 is recognised; with its scale it is clean."""
    stored = np.interp(smooth, (smooth.min(), smooth.max()), (-2000, 9000)).astype(np.int16)
    path = write_tif(tmp_path / "ndvi.tif", stored)
    faults = {fault.code: fault.message for fault in check_raster(path)}
    assert "0.0001" in faults["value_range"]
    assert "value_range" not in codes(path, scale=0.0001)


def test_a_mask_may_be_constant_and_a_covariate_may_not(tmp_path):
    """The same file is judged by what it is for."""
    path = write_tif(tmp_path / "mask.tif", np.ones((20, 20), np.uint8))
    assert codes(path, role="mask") == set()
    assert [fault.severity for fault in check_raster(path, role="covariate") if fault.code == "constant"] == ["error"]


def test_a_band_that_is_not_there_is_named(tmp_path, smooth):
    """Band 3 of a raster of one."""
    assert "band_missing" in codes(write_tif(tmp_path / "layer.tif", smooth), band=3)


@pytest.mark.parametrize("options", [{}, {"BIGTIFF": "YES"}, {"ENDIANNESS": "BIG"}])
@pytest.mark.parametrize(
    ("text", "impossible"), [(b"-99\x00", True), (b"1.5\x00", True), (b"nan\x00", True), (b"255\x00", False)]
)
def test_nodata_that_the_type_can_not_hold_is_named(tmp_path, text, impossible, options):
    """A byte raster whose nodata is no byte: no cell ever matches it, and rasterio keeps silent about it."""
    path = write_tif(tmp_path / "layer.tif", np.arange(200, dtype=np.uint8).reshape(10, 20), nodata=255, **options)
    raw = path.read_bytes()
    assert raw.count(b"255\x00") == 1
    path.write_bytes(raw.replace(b"255\x00", text))
    assert ("nodata_impossible" in codes(path)) is impossible


def test_lowest_float_is_a_possible_nodata(tmp_path, smooth):
    """-3.4028234663852886e+38 is what many programs write."""
    path = write_tif(tmp_path / "layer.tif", smooth, nodata=float(np.finfo(np.float32).min))
    assert codes(path) == set()


def test_layout_notes_come_for_large_files_only(tmp_path):
    """Strips and missing overviews matter from a few thousand cells a side."""
    path = write_tif(tmp_path / "large.tif", np.tile(np.arange(1200, dtype=np.float32), (600, 1)), cell=0.001)
    assert {"not_tiled", "no_overviews"} <= check(path).codes
    assert not {"not_tiled", "no_overviews"} & check(write_tif(tmp_path / "a.tif", np.eye(50, dtype=np.float32))).codes


def test_large_rasters_are_sampled(tmp_path, monkeypatch):
    """Above a size, windows spread over the band stand for it, and the report says so."""
    monkeypatch.setattr("alm_core.checking.scan.WHOLE_CELLS", 1000)
    monkeypatch.setattr("alm_core.checking.scan.SPREAD_CELLS", 8)
    path = write_tif(tmp_path / "layer.tif", np.full((100, 100), 7, np.int16))
    fault = next(fault for fault in check_raster(path, role="covariate") if fault.code == "constant")
    assert fault.severity == "warning"
    assert "cells looked at" in fault.message
