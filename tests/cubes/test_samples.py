"""The real format samples: each opens with its real grid, time and unit."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from alm_core.cubes.formats import open_field
from alm_core.cubes.regrid import make_regridder
from alm_core.cubes.staging import CubeSource, Regridders, stage_variable
from alm_core.cubes.store import Variable
from alm_core.errors import CrsError, DomainError, RasterError, StudyError
from alm_core.grid import Grid

AMSRE = "NSIDC-0630-EASE2_N25km-AQUA_AMSRE-2008278-18H-E-GRD-RSS-v1.0.nc"
GLDAS = "GLDAS_NOAH025_3H.A20160101.0600.021.nc4"
GRIB = "GLDAS_NOAH025SUBP_3H.A2015001.0600.001.2015037193230.grb"
SMAP = "SMAP_L4_SM_aup_input.h5"
FLAG = "SMAP_L3_FT_P_fill_uint_input.tif"


@pytest.fixture(scope="module")
def samples(shared_data: Path) -> Path:
    """Folder of the samples."""
    return shared_data / "satellite_reanalysis_samples"


def whole(path: Path, variable: str = "", **options):
    """The head of a field and all its values."""
    with open_field(path, variable, **options) as field:
        rows, columns = field.head.grid.shape
        return field.head, field.decode(field.read(0, field.head.times.size, slice(0, rows), slice(0, columns)))


def test_brightness_temperature_on_ease_grid_2(samples):
    """AMSR-E 18.7 GHz H: 720 x 720 cells of 25 km, 4 October 2008; its evening passes descend."""
    head, values = whole(samples / AMSRE, "TB")
    assert (head.grid.crs, head.grid.shape, head.grid.cell) == ("EPSG:6931", (720, 720), (25000.0, 25000.0))
    assert (head.grid.x[0], head.grid.y[0]) == (-8987500.0, 8987500.0)
    assert head.times.astype(str).tolist() == ["2008-10-04T00:00:00"]
    assert (head.unit, head.fills, head.channel) == ("K", (0.0, 60000.0), (18.0, "H"))
    assert (head.orbit.direction, head.orbit.part_of_day) == ("descending", "evening")
    assert np.isfinite(values).sum() == 305345
    assert (np.nanmin(values), np.nanmax(values)) == pytest.approx((91.01, 289.82), abs=1e-5)


def test_ease_grid_1_is_refused_for_it(samples):
    """The study may not call it EASE-Grid 1."""
    with pytest.raises(CrsError, match="the study says NSIDC EASE-Grid North"):
        open_field(samples / AMSRE, "TB", crs="EPSG:3408")


def test_several_fields_must_be_named(samples):
    """The text lists what is there."""
    with pytest.raises(StudyError, match=r"5 fields .TB, TB_num_samples, TB_std_dev, Incidence_angle, TB_time"):
        open_field(samples / AMSRE)


def test_soil_moisture_from_south_to_north(samples):
    """GLDAS 2.1: 0.25 degree from the south, minutes since 03:00, kg m-2."""
    head, values = whole(samples / GLDAS, "SoilMoi0_10cm_inst")
    assert (head.grid.crs, head.grid.shape, head.grid.cell) == ("EPSG:4326", (600, 1440), (0.25, 0.25))
    assert (head.grid.y[0], head.grid.y[-1]) == (-59.875, 89.875)
    assert head.times.astype(str).tolist() == ["2016-01-01T06:00:00"]
    assert (head.unit, head.fills) == ("kg m-2", (-9999.0,))
    assert np.isfinite(values).sum() == 243883
    assert np.nanmax(values) == np.float32(47.595)


def test_mass_of_water_is_no_part_of_volume(samples, tmp_path):
    """kg m-2 needs the depth of the layer."""
    grid = Grid.from_bounds((88, 31, 92, 34), 0.25, crs="EPSG:4326")
    source = CubeSource(Variable("soil", "m3 m-3", "moisture"), (samples / GLDAS,), "SoilMoi0_10cm_inst")
    with pytest.raises(DomainError, match=r"Daily variable soil: .* takes the depth of the layer"):
        stage_variable(source, Regridders(grid, np.arange(grid.size)), date(2016, 1, 1), 1, tmp_path / "soil.npy")
    assert not list(tmp_path.iterdir())


def test_grib_layers_from_the_shallowest(samples):
    """GLDAS 1 numbers its layers from the deepest: layer 1 is the message "0 to 4", which varies most."""
    heads, layers = zip(*(whole(samples / GRIB, "TSOIL", level=level) for level in (1, 2, 3, 4)), strict=True)
    head = heads[0]
    assert (head.grid.shape, head.grid.cell, head.grid.y[0]) == ((600, 1440), (0.25, 0.25), 89.875)
    assert head.times.astype(str).tolist() == ["2015-01-01T06:00:00"]
    assert (head.unit, head.fills) == ("K", (9999.0,))
    assert [head.layer for head in heads] == ["0 to 4", "0 to 3", "0 to 2", "0 to 1"]
    maxima = [round(float(np.nanmax(values)), 2) for values in layers]
    assert maxima == [322.34, 309.93, 308.32, 306.42]  # 06:00 UTC: noon in Australia
    spread = [np.nanstd(values) for values in layers]
    assert spread == sorted(spread, reverse=True)


def test_grib_needs_a_level(samples):
    """Four layers: one must be named."""
    with pytest.raises(StudyError, match=r"4 layers .1: 0 to 4, 2: 0 to 3"):
        open_field(samples / GRIB)


def test_the_two_land_models_lie_on_one_another(samples):
    """NetCDF from the south and GRIB from the north give the same land on one grid."""
    grid = Grid.from_bounds((70, 25, 105, 41), 0.25, crs="EPSG:4326")
    land = []
    for path, variable, level in ((samples / GLDAS, "SoilMoi0_10cm_inst", None), (samples / GRIB, "TSOIL", 1)):
        with open_field(path, variable, level=level) as field:
            regridder = make_regridder(field.head.grid, grid, np.arange(grid.size), "nearest")
            raw = field.read(0, 1, regridder.rows, regridder.columns)
            land.append(np.isfinite(regridder.apply(field.decode(regridder.pick(raw)))))
    assert (land[0] == land[1]).mean() > 0.999


def test_soil_moisture_in_groups_of_hdf5(samples):
    """SMAP L4: 9 km of the global EASE-Grid 2, x and y vectors in the root, seconds of the epoch J2000."""
    head, values = whole(samples / SMAP, "Analysis_Data/sm_surface_analysis")
    assert (head.grid.crs, head.grid.shape) == ("EPSG:6933", (508, 1123))
    assert head.grid.cell == pytest.approx((9008.055, 9008.055), abs=1e-3)
    assert (head.grid.x[0], head.grid.y[0]) == pytest.approx((-16579324.9725, 6949714.9725), abs=1e-3)
    assert head.times.astype(str).tolist() == ["2020-01-28T14:58:56"]
    assert (head.unit, head.fills) == ("m3 m-3", (-9999.0,))
    assert np.isfinite(values).sum() == 246473
    assert np.nanmin(values) == np.float32(0.026819954)


def test_surface_temperature_in_the_same_file(samples):
    """In K, between 224 and 317."""
    head, values = whole(samples / SMAP, "Analysis_Data/surface_temp_analysis")
    assert head.unit == "K"
    assert (np.nanmin(values), np.nanmax(values)) == (np.float32(224.6639), np.float32(316.70364))


def test_flags_in_a_file_of_one_day(samples, tmp_path):
    """SMAP flags as GeoTIFF: 0, 1, 254; their day must stand in the name."""
    with pytest.raises(RasterError, match="no date in its name"):
        open_field(samples / FLAG)
    path = tmp_path / "SMAP_L3_FT_P_20160101.tif"
    shutil.copy(samples / FLAG, path)
    head, values = whole(path, missing_value=254)
    assert (head.grid.crs, head.grid.shape) == ("EPSG:6933", (406, 964))
    assert head.grid.cell == pytest.approx((36032.21991701245,) * 2)
    assert (head.times.astype("datetime64[D]").astype(str).tolist(), head.timed_by) == (["2016-01-01"], "file name")
    assert (head.unit, head.fills) == ("", (254.0,))
    assert np.unique(values[np.isfinite(values)]).tolist() == [0.0, 1.0]
    assert np.isnan(values).sum() == np.count_nonzero(whole(path)[1] == 254)
