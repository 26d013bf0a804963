"""What a study says of a layer, and how its stored numbers become values."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio

from alm_core.covariates.layers import DerivedSource, LayerReader, LayerSource
from alm_core.errors import RasterError, StudyError
from alm_core.options import CovariateOptions, DerivedOptions
from tests.rasters import write_raster


def values_of(path, **options):
    with LayerReader(LayerSource(name="layer", path=path, **options)) as reader:
        return (*reader.read(0, *reader.grid.shape[:1], 0, reader.grid.shape[1]), reader.notes)


@pytest.mark.parametrize(("options", "source"), [(CovariateOptions, LayerSource), (DerivedOptions, DerivedSource)])
def test_sources_have_the_fields_of_the_options(options, source):
    """`LayerSource(**options.model_dump())` works: same names, same defaults; what is said of time arrives as `slices`."""
    of_time, as_slices = ({"static", "period", "band_of_slice"}, {"slices"}) if source is LayerSource else (set(), set())
    assert set(options.model_fields) - of_time == set(source.__dataclass_fields__) - as_slices
    given = {"name": "a", "path": "a.tif"} if source is LayerSource else {"name": "a", "method": "ndvi", "inputs": {"nir": "b"}}
    made = source(**options(**given).model_dump(exclude=of_time))
    assert made == source(**given)


@pytest.mark.parametrize("name", ["", " ", "mask", "MASK", "../up", "a/b", "a\\b", ".hidden", "a:b", "a\x00"])
def test_names_that_are_no_file_names_are_refused(name):
    """A layer name becomes a file name, so it can't walk out of the folder."""
    with pytest.raises(StudyError, match="file name"):
        LayerSource(name=name, path="a.tif")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kind": "integer"}, "kind"),
        ({"resampling": "lanczos"}, "lanczos"),
        ({"kind": "categorical", "resampling": "bilinear"}, "categorical"),
        ({"scale": 0.0}, "scale"),
        ({"minimum": 2.0, "maximum": 1.0}, "minimum"),
    ],
)
def test_impossible_options_are_refused(options, words):
    """Options that contradict each other are named."""
    with pytest.raises(StudyError, match=words):
        LayerSource(name="a", path="a.tif", **options)


@pytest.mark.parametrize(
    ("dtype", "nodata", "given"),
    [("int16", -9999, None), ("int16", None, -9999.0), ("float32", np.nan, None), ("float32", -3.4028234663852886e38, None),
     ("float32", None, -3.402823e38), ("uint8", 255, None), ("uint8", None, 255.0), ("float64", None, np.nan)],
)  # fmt: skip
def test_nodata_becomes_nan(tmp_path, grid, dtype, nodata, given):
    """Nodata declared by the file or by the study is NaN, and nothing else is."""
    stored = np.full(grid.shape, 7, dtype)
    stored[3, 4] = np.float32(nodata if given is None else given)
    path = write_raster(tmp_path / "a.tif", stored, grid, nodata=nodata)
    values, outside, _ = values_of(path, nodata=given)
    assert np.isnan(values[3, 4])
    assert np.count_nonzero(np.isnan(values)) == 1
    assert values.dtype == np.float32
    assert outside is None


def test_both_nodata_count_where_they_differ(tmp_path, grid):
    """The file's and the study's nodata are both missing, and a note says so."""
    stored = np.full(grid.shape, 7, np.int16)
    stored[0, 0], stored[0, 1] = -1, -2
    values, _, notes = values_of(write_raster(tmp_path / "a.tif", stored, grid, nodata=-1), nodata=-2)
    assert np.isnan(values[0, :2]).all()
    assert any("both count" in note for note in notes)


@pytest.mark.parametrize(
    ("own", "given", "expected"),
    [
        ((1.0, 0.0), (1.0, 0.0), 15000.0),
        ((1.0, 0.0), (0.02, -273.15), 26.85),
        ((0.02, 0.0), (1.0, -273.15), 26.85),
        ((0.02, 0.0), (0.02, 0.0), 300.0),
        ((0.02, -273.15), (0.02, -273.15), 26.85),
        ((0.02, 10.0), (2.0, 1.0), 621.0),
    ],
)
def test_scale_and_offset_of_file_and_study(tmp_path, grid, own, given, expected):
    """The file's scale and offset come first, the study's after; a pair that is said twice counts once."""
    path = write_raster(tmp_path / "a.tif", np.full(grid.shape, 15000, np.uint16), grid)
    with rasterio.open(path, "r+") as dataset:
        dataset.scales, dataset.offsets = (own[0],), (own[1],)
    values, _, _ = values_of(path, scale=given[0], offset=given[1])
    assert values[0, 0] == pytest.approx(expected, rel=1e-6)


def test_range_and_infinities_become_nan_and_are_counted(tmp_path, grid):
    """Values beyond minimum and maximum, in the study's unit, are NaN; bounds themselves are kept."""
    stored = np.full(grid.shape, 5.0, np.float32)
    stored[0, :5] = [0.1, -1, 9, 9.5, np.inf]
    values, outside, _ = values_of(write_raster(tmp_path / "a.tif", stored, grid), minimum=0.1, maximum=9)
    np.testing.assert_array_equal(np.isnan(values[0, :5]), [False, True, False, True, True])
    assert outside.sum() == 2


def test_internal_mask_is_honoured(tmp_path, grid):
    """Cells that a mask band inside the file leaves out are NaN."""
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        path = write_raster(tmp_path / "a.tif", np.ones(grid.shape, np.float32), grid)
        with rasterio.open(path, "r+") as dataset:
            shown = np.ones(grid.shape, bool)
            shown[2, 3] = False
            dataset.write_mask(shown)
    values, _, _ = values_of(path)
    assert np.isnan(values[2, 3])
    assert np.count_nonzero(np.isnan(values)) == 1


def test_south_up_file_is_turned(tmp_path, grid, relief):
    """A file with its rows from south to north reads as the usual one, window by window."""
    path = write_raster(tmp_path / "up.tif", relief[::-1], grid, transform=rasterio.Affine(0.05, 0, 90, 0, 0.05, 32))
    with LayerReader(LayerSource(name="a", path=path)) as reader:
        np.testing.assert_array_equal(reader.read(10, 25, 5, 30)[0], relief[10:25, 5:30])
        assert "south to north" in reader.notes[0]


def test_reader_names_an_absent_band(tmp_path, grid, relief):
    """A band of the study that the file lacks is refused when the layer is opened."""
    path = write_raster(tmp_path / "a.tif", relief, grid)
    with pytest.raises(RasterError, match="band 3"):
        LayerReader(LayerSource(name="a", path=path, band=3))
