"""A study from one's own files: the guesses, the file that is written, and what is left alone."""

from __future__ import annotations

import tomllib

import numpy as np
import pytest

from alm_core.checking import check
from alm_core.errors import CrsError, MissingFileError, RasterError, TableError, WorkspaceError
from alm_core.new import new_study
from alm_core.raster_folder import common_grid, read_folder, safe_name
from alm_core.study import Study
from tests.checking.conftest import site_rows, write_tif


@pytest.fixture
def rasters(tmp_path):
    """A folder of small rasters of every kind."""
    folder = tmp_path / "rasters"
    folder.mkdir()
    rows, columns = np.mgrid[0:40, 0:60]
    dem = (4000 + 20 * np.sin(rows / 7) + columns).astype(np.float32)
    dem[:3, :3] = -9999
    write_tif(folder / "dem_m.tif", dem)
    write_tif(folder / "MOD13_NDVI.tif", (columns * 100 + rows).astype(np.int16), nodata=-3000)
    write_tif(folder / "landcover.tif", (1 + columns // 20).astype(np.uint8))
    write_tif(folder / "mask_permafrost.tif", (columns > 10).astype(np.uint8))
    write_tif(folder / "mask_lake.tif", (rows > 38).astype(np.uint8))
    write_tif(folder / "flat.tif", np.full((40, 60), 5, np.float32))
    write_tif(folder / "prec_fine.tiff", np.linspace(100, 900, 9600, dtype=np.float32).reshape(80, 120), cell=0.025)
    bands = np.stack([dem + 30, dem * 2 + rows]).astype(np.float32)
    write_tif(folder / "s1.tif", np.where(bands < 0, 0, bands))
    (folder / "disguised.tif").write_text("<VRTDataset></VRTDataset>", encoding="utf-8")
    (folder / "stack.vrt").write_text("<VRTDataset></VRTDataset>", encoding="utf-8")
    (folder / "README.md").write_text("words", encoding="utf-8")
    (folder / "inner").mkdir()
    write_tif(folder / "inner" / "hidden.tif", dem)
    return folder


@pytest.fixture
def table(tmp_path):
    """A table of water contents in percent with Chinese column names."""
    rows = [row.split(",") for row in site_rows()]
    lines = [f"{a},{x},{y},{float(v) * 100:.1f},2015-09-1{int(a[1:]) % 9},GPR" for a, x, y, v in rows]
    path = tmp_path / "sites.csv"
    path.write_text("\n".join(["样点编号,经度,纬度,体积含水量,采样日期,方法", *lines]), encoding="utf-8")
    return path


def layers(path):
    """Layers of a study by name."""
    return {layer.name: layer for layer in Study.load(path).options.covariates}


def test_everything_is_guessed_and_loads(tmp_path, table, rasters):
    """Columns, unit, target, grid, mask, groups, kinds, nodata and scale."""
    made = new_study(tmp_path / "my study", sites=table, covariates=rasters)
    options = Study.load(made.path).options
    assert options.study.name == "my_study"
    assert options.sites.columns.model_dump(exclude_none=True) == {
        "site_id": "样点编号",
        "longitude": "经度",
        "latitude": "纬度",
        "value": "体积含水量",
        "date": "采样日期",
        "method": "方法",
    }
    assert options.sites.value_unit == "percent"
    assert (options.target.unit, options.target.minimum, options.target.maximum) == ("m3 m-3", 0.0, 1.0)
    assert options.sites.groups == "method"
    assert options.grid.like.endswith("rasters/MOD13_NDVI.tif")
    assert options.grid.mask.endswith("mask_permafrost.tif")
    found = layers(made.path)
    assert set(found) == {"dem_m", "MOD13_NDVI", "landcover", "prec_fine", "s1_band1", "s1_band2"}
    assert (found["dem_m"].group, found["dem_m"].nodata, found["dem_m"].unit) == ("terrain", -9999.0, "m")
    assert (found["MOD13_NDVI"].group, found["MOD13_NDVI"].scale) == ("vegetation", 0.0001)
    assert found["landcover"].kind == "categorical"
    assert (found["s1_band2"].band, found["s1_band2"].group) == (2, "radar")
    assert found["prec_fine"].group == "climate"


def test_the_study_passes_the_check(tmp_path, table, rasters):
    """What is written has no error."""
    made = new_study(tmp_path / "study", sites=table, covariates=rasters)
    report = check(made.path)
    assert report.ok, report.text()


def test_every_decision_is_shown(tmp_path, table, rasters):
    """Guesses name what was left out and why, and the file carries the reasons."""
    made = new_study(tmp_path / "study", sites=table, covariates=rasters)
    shown = {guess.what: guess for guess in made.guesses}
    assert shown["covariate flat"].value == "left out"
    assert shown["covariate mask_lake"].value == "left out"
    assert "VRT" in shown["file disguised.tif"].why
    assert "stack.vrt" in shown["other files"].why
    assert shown["covariate dem_m nodata"].value == -9999.0
    assert "9: 40" in shown["screening.season_months"].why
    text = made.path.read_text(encoding="utf-8")
    assert "hidden" not in text
    assert "# season_months = [9]" in text
    assert 'value_unit = "percent"  # values up to' in text
    assert all(guess.why for guess in made.guesses)
    assert made.to_dict()["guesses"][0]["what"] == "study.name"


def test_paths_are_relative_and_the_text_is_the_same_twice(tmp_path, table, rasters):
    """Two runs write the same bytes; no absolute path stands in them."""
    first = new_study(tmp_path / "study", sites=table, covariates=rasters).path.read_bytes()
    second = new_study(tmp_path / "study", sites=table, covariates=rasters, overwrite=True).path.read_bytes()
    assert first == second
    assert str(tmp_path).encode() not in first
    assert tomllib.loads(first.decode())["sites"]["table"] == "../sites.csv"


def test_a_study_that_is_there_is_kept(tmp_path, table, rasters):
    """Without overwrite nothing is written, with it the file is replaced."""
    path = tmp_path / "study" / "study.toml"
    path.parent.mkdir()
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(WorkspaceError, match="overwrite"):
        new_study(path.parent, sites=table, covariates=rasters)
    assert path.read_text(encoding="utf-8") == "mine"
    assert new_study(path.parent, sites=table, covariates=rasters, overwrite=True).path == path
    assert path.read_text(encoding="utf-8") != "mine"


def test_bad_input_is_named(tmp_path, table, rasters):
    """Missing table, folder, rasters, target column, CRS."""
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(MissingFileError, match=r"none\.csv"):
        new_study(tmp_path / "a", sites=tmp_path / "none.csv", covariates=rasters)
    with pytest.raises(MissingFileError, match="no folder"):
        new_study(tmp_path / "a", sites=table, covariates=tmp_path / "none")
    with pytest.raises(RasterError, match="holds none"):
        new_study(tmp_path / "a", sites=table, covariates=empty)
    with pytest.raises(TableError, match="zinc"):
        new_study(tmp_path / "a", sites=table, covariates=rasters, target="zinc")
    with pytest.raises(CrsError, match="EPSG"):
        new_study(tmp_path / "a", sites=table, covariates=rasters, crs="EPSG:0")
    assert not (tmp_path / "a").exists()


def test_swapped_coordinate_columns_are_put_right(tmp_path, rasters):
    """A table whose x and y are exchanged: the sites lie on the rasters only the other way round."""
    path = tmp_path / "sites.csv"
    path.write_text("\n".join(["site,lat,lon,vwc", *site_rows()]), encoding="utf-8")
    columns = Study.load(new_study(tmp_path / "study", sites=path, covariates=rasters).path).options.sites.columns
    assert (columns.longitude, columns.latitude) == ("lat", "lon")


def test_names_that_toml_must_quote(tmp_path, rasters):
    """Quotes, backslashes and spaces in column names survive."""
    path = tmp_path / "sites.csv"
    path.write_text("\n".join(['"si""te",lon,lat,"vwc \\ mean"', *site_rows()]), encoding="utf-8")
    made = new_study(tmp_path / "study", sites=path, covariates=rasters, target="vwc \\ mean")
    assert Study.load(made.path).options.sites.columns.value == "vwc \\ mean"


def test_classes_make_a_classification(tmp_path, rasters):
    """Whole numbers that repeat are labels."""
    path = tmp_path / "sites.csv"
    rows = [f"{row.rsplit(',', 1)[0]},{1 + index % 3}" for index, row in enumerate(site_rows())]
    path.write_text("\n".join(["site,lon,lat,frozen_class", *rows]), encoding="utf-8")
    assert Study.load(new_study(tmp_path / "study", sites=path, covariates=rasters).path).options.target.task == "classification"


def test_repeated_ids_are_averaged(tmp_path, rasters):
    """Site-years: the option that deals with them is set and shown."""
    path = tmp_path / "sites.csv"
    rows = [f"{row},{year}" for row in site_rows() for year in (2001, 2002)]
    path.write_text("\n".join(["site,lon,lat,vwc,year", *rows]), encoding="utf-8")
    made = new_study(tmp_path / "study", sites=path, covariates=rasters)
    assert Study.load(made.path).options.sites.repeats == "mean"
    assert check(made.path).ok, check(made.path).text()


def test_folder_is_read_in_order_and_safely(rasters):
    """Sorted, not recursive, GeoTIFF only; a disguised VRT is a fault, other files are ignored."""
    folder = read_folder(rasters)
    assert [facts.path.name for facts in folder.bands] == sorted(facts.path.name for facts in folder.bands)
    assert set(folder.faulty) == {"disguised.tif"}
    assert folder.ignored == ("README.md", "stack.vrt")


def test_equal_names_get_numbers(tmp_path):
    """a.tif and a.tiff, and names that differ in case only."""
    for name in ("a.tif", "a.tiff", "A.TIFF"):
        write_tif(tmp_path / name, np.eye(20, dtype=np.float32))
    names = [facts.name.casefold() for facts in read_folder(tmp_path).bands]
    assert len(set(names)) == len(names)
    assert safe_name("a/b: c") == "a_b_c"


def test_the_common_grid_is_taken_and_the_finer_of_equals(tmp_path):
    """Two rasters on one grid outvote a finer one; of one each the finer wins."""
    coarse, fine = np.eye(20, dtype=np.float32), np.eye(80, dtype=np.float32)
    write_tif(tmp_path / "a.tif", coarse)
    write_tif(tmp_path / "b.tif", fine, cell=0.0125)
    assert common_grid(list(read_folder(tmp_path).bands))[0].name == "b"
    write_tif(tmp_path / "c.tif", coarse * 2)
    chosen, why = common_grid(list(read_folder(tmp_path).bands))
    assert chosen.name == "a"
    assert "2 of 3" in why
    assert "b.tif" in why


def meuse_table(shared_data, tmp_path):
    """The meuse points as a CSV file."""
    import geopandas

    frame = geopandas.read_file(shared_data / "benchmark_meuse" / "meuse.shp")
    frame["x"], frame["y"] = frame.geometry.x, frame.geometry.y
    path = tmp_path / "meuse.csv"
    frame.drop(columns="geometry").to_csv(path, index=False)
    return path


def test_real_meuse(shared_data, tmp_path):
    """Rasters without a CRS: with the CRS named the study is sound; without, it says what must be set."""
    table = meuse_table(shared_data, tmp_path)
    covariates = shared_data / "benchmark_meuse"
    made = new_study(tmp_path / "known", sites=table, covariates=covariates, target="zinc", crs="EPSG:28992")
    options = Study.load(made.path).options
    assert (options.grid.crs, options.sites.crs) == ("EPSG:28992", "EPSG:28992")
    assert options.sites.columns.value == "zinc"
    assert {layer.name for layer in options.covariates if layer.kind == "categorical"} == {"ffreq", "soil"}
    assert options.validation.block_size_km < 1
    assert check(made.path).ok, check(made.path).text()
    unknown = new_study(tmp_path / "unknown", sites=table, covariates=covariates)
    assert next(guess for guess in unknown.guesses if guess.what == "grid.crs").why.startswith("SET THIS")
    assert not check(unknown.path).ok


def test_real_boreholes_and_active_layer(shared_data, tmp_path):
    """MAGT and ALT over the stack north of 45 N."""
    grids = shared_data / "grids_north45_0p25"
    magt = new_study(tmp_path / "magt", sites=shared_data / "sites_magt_north45" / "magt_sites_north45.csv", covariates=grids)
    options = Study.load(magt.path).options
    assert (options.target.name, options.target.unit, options.sites.columns.depth) == ("magt_c", "degC", "depth_m")
    assert options.grid.mask is None
    groups = {layer.name: layer.group for layer in options.covariates}
    assert (groups["soil_clay_pct"], groups["tdd_lapse"], groups["slope_deg"]) == ("soil", "climate", "terrain")
    assert len(groups) == 22
    alt = new_study(tmp_path / "alt", sites=shared_data / "sites_calm_alt" / "calm_alt_sites.csv", covariates=grids)
    options = Study.load(alt.path).options
    assert (options.sites.columns.value, options.target.unit, options.target.minimum) == ("alt_cm", "cm", 0.0)
    assert any("another map of the target" in guess.why for guess in alt.guesses if "permafrost_cci_alt_m" in guess.what)


def test_real_plateau_mask(shared_data, tmp_path):
    """The plateau's outline is the mask; lakes and glaciers are not."""
    table = shared_data / "sites_calm_alt" / "calm_alt_sites.csv"
    made = new_study(tmp_path / "plateau", sites=table, covariates=shared_data / "grids_qtp_0p05")
    assert Study.load(made.path).options.grid.mask.endswith("mask_tibet_plateau.tif")
    assert "mask_lake.tif masks what is not to be mapped" in made.path.read_text(encoding="utf-8")


def test_a_stack_of_bands_does_not_outvote_files(tmp_path):
    """Twelve bands of one coarse file count once; short descriptions become names, long ones comments."""
    write_tif(tmp_path / "temperature.tif", np.stack([np.eye(20, dtype=np.float32) * month for month in range(1, 13)]), cell=0.2)
    for name in ("dem.tif", "slope.tif"):
        write_tif(tmp_path / name, np.eye(80, dtype=np.float32))
    bands = list(read_folder(tmp_path).bands)
    assert common_grid(bands)[0].path.name in ("dem.tif", "slope.tif")
    assert [facts.name for facts in bands if facts.path.stem == "temperature"][:2] == ["temperature_band1", "temperature_band2"]
    import rasterio

    with rasterio.open(tmp_path / "temperature.tif", "r+") as dataset:
        dataset.set_band_description(1, "Jan")
        dataset.set_band_description(2, "mean air temperature of February")
    named = [(facts.name, facts.description) for facts in read_folder(tmp_path).bands if facts.path.stem == "temperature"]
    assert named[:2] == [("temperature_Jan", "Jan"), ("temperature_band2", "mean air temperature of February")]
