"""Opening rasters: every bad file is refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.windows import Window

from alm_core.covariates.raster import check_band, check_whole, open_raster, read_padded, read_window, source_grid
from alm_core.errors import RasterError, TooManyPixelsError
from tests.rasters import write_raster

VRT = """<VRTDataset rasterXSize="80" rasterYSize="60"><GeoTransform>90, .05, 0, 35, 0, -.05</GeoTransform>
<VRTRasterBand dataType="Float32" band="1"><SimpleSource><SourceFilename relativeToVRT="1">real.tif</SourceFilename>
<SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>"""


def vrt(path, grid, relief):
    write_raster(path.with_name("real.tif"), relief, grid)
    path.write_text(VRT)


def truncated_header(path, grid, relief):
    write_raster(path, relief, grid)
    path.write_bytes(path.read_bytes()[:40])


def text(path, grid, relief):
    path.write_text("longitude,latitude\n90,35\n")


def rotated(path, grid, relief):
    write_raster(path, relief, grid, transform=rasterio.Affine(0.05, 0.01, 90, 0.01, -0.05, 35))


def mirrored(path, grid, relief):
    write_raster(path, relief, grid, transform=rasterio.Affine(-0.05, 0, 94, 0, -0.05, 35))


def placeless(path, grid, relief):
    write_raster(path, relief, grid, transform=rasterio.Affine.identity(), crs=None)


def missing(path, grid, relief):
    pass


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (vrt, "a VRT"),
        (truncated_header, "truncated"),
        (text, "not a GeoTIFF"),
        (rotated, "rotated"),
        (mirrored, "east to west"),
        (placeless, "no georeference"),
        (missing, "No raster at"),
    ],
)
def test_bad_files_are_refused_by_name(tmp_path, grid, relief, make, words):
    """Each pathology gives a RasterError that names the file and says what is wrong."""
    path = tmp_path / "layer.tif"
    make(path, grid, relief)
    with pytest.raises(RasterError, match=words) as caught:
        open_raster(path)
    assert "layer.tif" in str(caught.value)


def test_virtual_paths_are_no_files():
    """GDAL's network paths never reach GDAL."""
    with pytest.raises(RasterError, match="No raster"):
        open_raster("/vsicurl/http://127.0.0.1:9/x.tif")


def test_sidecars_are_not_read(tmp_path, grid, relief):
    """A .ovr and an .aux.xml beside the file change nothing, also after opening."""
    path = write_raster(tmp_path / "layer.tif", relief, grid)
    write_raster(tmp_path / "real.tif", relief[:30, :40], grid)
    (tmp_path / "layer.tif.ovr").write_text(VRT.replace("80", "40").replace("60", "30"))
    (tmp_path / "layer.tif.aux.xml").write_text(
        '<PAMDataset><PAMRasterBand band="1"><NoDataValue>1</NoDataValue></PAMRasterBand></PAMDataset>'
    )
    with open_raster(path) as dataset:
        assert dataset.overviews(1) == []
        assert dataset.nodata is None
    with rasterio.open(path) as unsafe:
        assert unsafe.overviews(1) == [2]


def test_sparse_giant_is_refused_from_its_header(tmp_path, grid):
    """A file of a few megabytes that decodes to 640 GB is never read."""
    path = tmp_path / "giant.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=400_000, height=400_000, count=1, dtype="float32", crs=grid.crs, transform=grid.affine,
        tiled=True, blockxsize=8192, blockysize=8192, sparse_ok=True, bigtiff="yes",
    ):  # fmt: skip
        pass
    assert path.stat().st_size < 5e6
    with pytest.raises(TooManyPixelsError, match="640 GB"):
        open_raster(path)


def test_maximum_cells_is_a_bound(tmp_path, grid, relief):
    """A raster of exactly the allowed size opens, one cell less is refused."""
    path = write_raster(tmp_path / "layer.tif", relief, grid)
    open_raster(path, maximum_cells=grid.size).close()
    with pytest.raises(TooManyPixelsError):
        open_raster(path, maximum_cells=grid.size - 1)


@pytest.mark.parametrize("profile", [{}, {"tiled": True, "blockxsize": 16, "blockysize": 16, "compress": "zstd"}])
def test_truncated_data_is_found_without_decoding_and_while_reading(tmp_path, grid, relief, profile):
    """A file cut in its last third opens, is found out by its length, and names the band when it is read."""
    path = write_raster(tmp_path / "layer.tif", relief, grid, **profile)
    with open_raster(path) as dataset:
        check_whole(dataset, 1)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with open_raster(path) as dataset:
        with pytest.raises(RasterError, match=r"layer.tif, band 1 is truncated"):
            check_whole(dataset, 1)
        with pytest.raises(RasterError, match=r"layer.tif, band 1 can't be read at row 0"):
            read_window(dataset, 1, Window(0, 0, 80, 60))


@pytest.mark.parametrize("band", [0, 2])
def test_absent_band_is_named(tmp_path, grid, relief, band):
    """A band that is not there is refused with the number of those that are."""
    with open_raster(write_raster(tmp_path / "layer.tif", relief, grid)) as dataset, pytest.raises(RasterError, match="1 band"):
        check_band(dataset, band)


def test_complex_numbers_are_refused(tmp_path, grid):
    """Complex radar data have no place among covariates."""
    path = write_raster(tmp_path / "slc.tif", np.zeros(grid.shape, np.complex64), grid)
    with open_raster(path) as dataset, pytest.raises(RasterError, match="complex"):
        check_band(dataset, 1)


def test_south_up_raster_has_the_north_up_grid(tmp_path, grid, relief):
    """The grid of a file with its rows from south to north equals that of the usual one."""
    path = write_raster(tmp_path / "up.tif", relief[::-1], grid, transform=rasterio.Affine(0.05, 0, 90, 0, 0.05, 32))
    with open_raster(path) as dataset:
        found, flipped = source_grid(dataset)
    assert flipped
    assert found.shape == grid.shape
    assert found.bounds == pytest.approx(grid.bounds)


def test_read_padded_fills_the_outside_with_nan():
    """Ranges beyond the raster come as NaN, also wholly outside."""
    cells = np.arange(12, dtype=np.float32).reshape(3, 4)

    def read(*window):
        return cells[window[0] : window[1], window[2] : window[3]]

    found = read_padded(read, cells.shape, (-1, 2), (2, 6))
    np.testing.assert_array_equal(found, [[np.nan] * 4, [2, 3, np.nan, np.nan], [6, 7, np.nan, np.nan]])
    assert np.isnan(read_padded(read, cells.shape, (5, 7), (0, 2))).all()


def test_helper_returns_a_path(tmp_path, grid, relief):
    """`write_raster` gives the path it wrote."""
    assert write_raster(tmp_path / "a.tif", relief, grid) == Path(tmp_path / "a.tif")
