"""NetCDF, GeoTIFF and GRIB files with every oddity of their own."""

from __future__ import annotations

import netCDF4
import numpy as np
import pytest
import rasterio.shutil
from pyproj import Transformer

from alm_core.cubes.formats import format_of, open_field
from alm_core.errors import CrsError, GridError, MissingFileError, RasterError, StudyError
from tests.cubes.day_files import days, write_geotiff, write_netcdf


def read(path, variable="", *, steps=None, rows=slice(0, 2), columns=slice(0, 4), **options):
    """The head and the decoded values."""
    with open_field(path, variable, **options) as field:
        start, stop = steps or (0, field.head.times.size)
        return field.head, field.decode(field.read(start, stop, rows, columns))


def test_a_window_of_some_days(tmp_path):
    """Days, rows and columns are half open."""
    path = write_netcdf(tmp_path / "tb.nc", days(5))
    _, values = read(path, steps=(1, 3), rows=slice(1, 2), columns=slice(2, 4))
    assert np.array_equal(values, days(5)[1:3, 1:2, 2:4].astype(np.float32))


def test_packed_values_fills_and_the_valid_range(tmp_path):
    """Stored numbers: both fills are missing, what the file calls invalid is marked, the rest is unpacked."""
    stored = np.array([[[25000, 0, 60000, 4999], [35001, 5000, 35000, 1]]], np.uint16)
    attributes = {
        "_FillValue": np.uint16(0),
        "missing_value": np.uint16(60000),
        "valid_range": np.array([5000, 35000], np.uint16),
        "scale_factor": 0.01,
        "add_offset": 0.0,
    }
    path = write_netcdf(tmp_path / "tb.nc", stored, dtype="u2", attributes=attributes)
    _, values = read(path)
    wanted = [[250, np.nan, np.nan, -np.inf], [np.inf, 50, 350, -np.inf]]
    assert np.allclose(values[0], wanted, equal_nan=True)


def test_a_fill_that_is_not_declared(tmp_path):
    """The study may name it."""
    path = write_netcdf(tmp_path / "tb.nc", np.full((1, 2, 4), -9999.0))
    assert np.isnan(read(path, missing_value=-9999)[1]).all()
    assert (read(path)[1] == -9999).all()


def test_unsigned_bytes(tmp_path):
    """254 that is stored as -2."""
    path = write_netcdf(tmp_path / "f.nc", np.full((1, 2, 4), -2), dtype="i1", attributes={"_Unsigned": "true"})
    assert (read(path)[1] == 254).all()


def test_any_order_of_dimensions(tmp_path):
    """[x, time, level, y] comes as [time, y, x], and layers by their depth."""
    path = tmp_path / "soil.nc"
    values = np.arange(2 * 3 * 2 * 4.0).reshape(4, 3, 2, 2)  # x, time, level, y
    with netCDF4.Dataset(path, "w") as file:
        for name, numbers, units in (
            ("lon", [80.5, 81.5, 82.5, 83.5], "degrees_east"),
            ("time", [0, 1, 2], "days since 2011-01-01"),
            ("depth", [0.25, 0.05], "m"),
            ("lat", [30.5, 31.5], "degrees_north"),
        ):
            file.createDimension(name, len(numbers))
            file.createVariable(name, "f8", (name,))[:] = numbers
            file[name].units = units
        file.createVariable("soil", "f4", ("lon", "time", "depth", "lat"))[:] = values
    head, found = read(path, level=1)
    assert (head.layer, head.grid.y.tolist()) == ("depth 0.05 m", [30.5, 31.5])
    assert np.array_equal(found, values[:, :, 1, :].transpose(1, 2, 0))
    with pytest.raises(StudyError, match=r"2 layers \(1: depth 0.05 m, 2: depth 0.25 m\)"):
        read(path)
    with pytest.raises(StudyError, match="no layer 3"):
        read(path, level=3)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"variable": "tb"}, StudyError, "no variable 'tb'. Fields in it: TB"),
        ({"level": 2}, StudyError, "no layer 2"),
        ({"crs": "EPSG:6931"}, CrsError, "the study says"),
    ],
)
def test_what_the_file_does_not_have(tmp_path, options, error, text):
    """Refused with what is there."""
    path = write_netcdf(tmp_path / "tb.nc", days(1))
    with pytest.raises(error, match=text):
        read(path, **options)


def test_ease_grid_1_on_the_cells_of_2(tmp_path):
    """Declared in the file, or by the study where the file declares none."""
    axes = {"x": np.arange(4) * 25000.0, "y": -np.arange(2) * 25000.0}
    wrong = write_netcdf(tmp_path / "a.nc", days(1), crs="EPSG:3408", **axes)
    silent = write_netcdf(tmp_path / "b.nc", days(1), crs=None, **axes)
    for path, crs in ((wrong, None), (silent, "EPSG:3408")):
        with pytest.raises(CrsError, match="The CRS is that of EASE-Grid 1"):
            read(path, crs=crs)
    assert read(silent, crs="EPSG:6931")[0].grid.crs == "EPSG:6931"
    with pytest.raises(CrsError, match="declares no CRS"):
        read(silent)


def test_a_time_without_units_and_none(tmp_path):
    """One step takes the date of the name; several can't."""
    one = write_netcdf(tmp_path / "tb_20110203.nc", days(1), time_units="")
    assert (str(read(one)[0].times[0]), read(one)[0].timed_by) == ("2011-02-03T00:00:00", "file name")
    with pytest.raises(RasterError, match="2 steps without a time"):
        read(write_netcdf(tmp_path / "tb_20110204.nc", days(2), time_units=""))


def test_no_axes(tmp_path):
    """Rows and columns without places can't be put anywhere."""
    path = tmp_path / "swath.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("along", 3)
        file.createDimension("across", 4)
        file.createVariable("tb", "f4", ("along", "across"))[:] = 1
    with pytest.raises(GridError, match="no axis x and y is found for dimensions along, across"):
        read(path)


def write_cells(path, x, y, crs):
    """A field of two passes with longitude and latitude of every cell in its group, as SMAP's products come."""
    longitude, latitude = Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform(*np.meshgrid(x, y))
    latitude[0, 0] = longitude[0, 0] = -9999.0
    with netCDF4.Dataset(path, "w") as file:
        group = file.createGroup("Data")
        for name, size in (("pass", 2), ("along", len(y)), ("across", len(x))):
            group.createDimension(name, size)
        for name, values in (("cell_lon", longitude), ("cell_lat", latitude)):
            group.createVariable(name, "f4", ("along", "across"), fill_value=-9999.0)[:] = values
        stored = np.arange(2 * len(y) * len(x)).reshape(2, len(y), len(x))
        group.createVariable("flag", "i2", ("pass", "along", "across"))[:] = stored
    return path


def test_longitude_and_latitude_of_every_cell(tmp_path):
    """Axes are found where the CRS is named; passes are layers; a swath is refused."""
    x, y = 36000.0 * np.arange(10, 14), 36000.0 * np.arange(12, 10, -1)
    path = write_cells(tmp_path / "SMAP_L3_FT_P_20160101.h5", x, y, "EPSG:6931")
    head, values = read(path, "Data/flag", level=2, crs="EPSG:6931")
    assert (head.grid.x, head.grid.y) == (pytest.approx(x, abs=1), pytest.approx(y, abs=1))
    assert (str(head.times[0]), values[0, 0, 0], values.shape) == ("2016-01-01T00:00:00", 8.0, (1, 2, 4))
    with pytest.raises(GridError, match="are no grid in this CRS"):
        read(path, "Data/flag", level=1)


def test_files_that_are_none(tmp_path):
    """Cut short, of another kind, not there."""
    path = write_netcdf(tmp_path / "tb.nc", days(3))
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(RasterError, match="is it whole"):
        read(path)
    (tmp_path / "a.nc").write_text("time,tb")
    with pytest.raises(RasterError, match="neither NetCDF"):
        format_of(tmp_path / "a.nc")
    with pytest.raises(MissingFileError, match="is not there"):
        format_of(tmp_path / "b.nc")


def test_a_stack_of_bands(tmp_path):
    """One band a day, dates in the descriptions; nodata is missing."""
    values = days(3).astype(np.float32)
    values[1, 0, 0] = -1
    path = write_geotiff(tmp_path / "tb.tif", values, dates=["2011-01-03", "20110101", "2011002"], nodata=-1)
    head, found = read(path)
    assert head.times.astype("datetime64[D]").astype(str).tolist() == ["2011-01-03", "2011-01-01", "2011-01-02"]
    values[1, 0, 0] = np.nan
    assert np.array_equal(found, values, equal_nan=True)
    assert read(path, steps=(2, 3))[1][0, 0, 0] == 252.0


def test_bands_without_dates(tmp_path):
    """Refused; one may be named by its number where the file is of one day."""
    path = write_geotiff(tmp_path / "tb_20110105.tif", days(2).astype(np.float32))
    with pytest.raises(RasterError, match="2 bands without dates"):
        read(path)
    assert read(path, level=2)[1][0, 0, 0] == 251.0
    half = write_geotiff(tmp_path / "half.tif", days(2).astype(np.float32), dates=["2011-01-01", "quality"])
    with pytest.raises(RasterError, match="1 of 2 bands have a date"):
        read(half)


def test_grib_2_by_depth(tmp_path):
    """Messages from the deepest up: level 1 is the shallowest; kelvin stay kelvin."""
    source = write_geotiff(tmp_path / "t.tif", np.stack([np.full((2, 4), one, np.float32) for one in (271, 272, 273)]))
    options = {"DISCIPLINE": "2", "INPUT_UNIT": "K", "IDS": "REF_TIME=2016-01-01T06:00:00Z"}
    for band, (top, bottom) in enumerate([(100, 200), (10, 40), (0, 10)], start=1):
        options[f"BAND_{band}_PDS_PDTN"] = "0"
        options[f"BAND_{band}_PDS_TEMPLATE_ASSEMBLED_VALUES"] = f"0 2 2 0 0 0 0 1 0 106 2 {top} 106 2 {bottom}"
    path = tmp_path / "t.grb2"
    rasterio.shutil.copy(source, path, driver="GRIB", **options)
    found = [read(path, "TSOIL", level=level) for level in (1, 2, 3)]
    assert [head.layer for head, _ in found] == ["0 to 0.1", "0.1 to 0.4", "1 to 2"]
    assert [round(float(values.mean()), 3) for _, values in found] == [273.0, 272.0, 271.0]
    assert (found[0][0].unit, str(found[0][0].times[0])) == ("K", "2016-01-01T06:00:00")
