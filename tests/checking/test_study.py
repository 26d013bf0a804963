"""Checks of whole studies: file, options, table, rasters, mask and how they fit, all named in one report."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from alm_core.checking import check
from tests.checking.conftest import site_rows, write_tif


def edit(folder, *pairs):
    """Replace text in study.toml; every old text must be there."""
    path = folder / "study.toml"
    text = path.read_text(encoding="utf-8")
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    return folder


def sites(folder, lines, header="site,lon,lat,vwc"):
    """Write the site table."""
    (folder / "sites.csv").write_text("\n".join([header, *lines]), encoding="utf-8")
    return folder


def errors(folder):
    """Codes of the errors of a study."""
    return {fault.code for fault in check(folder).faults if fault.severity == "error"}


def serious(folder):
    """Codes of errors and warnings."""
    return {fault.code for fault in check(folder).faults if fault.severity != "note"}


def test_sound_study_is_clean(small_study):
    """No errors, no warnings; the folder and the file are the same study."""
    report = check(small_study)
    assert report.kind == "study"
    assert serious(small_study) == set(), report.text()
    assert check(small_study / "study.toml").faults == report.faults


def percent(folder):
    """Water contents in percent."""
    rows = [row.split(",") for row in site_rows()]
    return sites(folder, [f"{a},{x},{y},{float(v) * 100:.1f}" for a, x, y, v in rows])


def moved(folder, change):
    """The sites at other places."""
    rows = [row.split(",") for row in site_rows()]
    return sites(folder, [",".join([a, *(str(part) for part in change(float(x), float(y))), v]) for a, x, y, v in rows])


def replaced(folder, name, array, **options):
    """Another raster under the same name."""
    write_tif(folder / name, array, **options)
    return folder


def masked(folder, array, **options):
    """The study with a mask."""
    write_tif(folder / "mask.tif", array, **options)
    return edit(folder, ('like = "elevation.tif"', 'like = "elevation.tif"\nmask = "mask.tif"'))


def missing(folder, name):
    """One file gone."""
    (folder / name).unlink()
    return folder


def truncated(folder):
    """The second raster cut off."""
    path = write_tif(folder / "ndvi.tif", np.random.default_rng(0).random((40, 60)).astype(np.float32))
    path.write_bytes(path.read_bytes()[:5000])
    return folder


SENTINEL = np.linspace(0, 0.8, 2400, dtype=np.float32).reshape(40, 60)
SENTINEL[:4] = -9999
HALF = np.zeros((40, 60), np.uint8)
HALF[:20] = 1

BROKEN = {
    "study_option: unknown key": (lambda f: edit(f, ("[selection]\nenabled", "[selection]\nenabeld")), "study_option", "enabled"),
    "study_option: no name": (lambda f: edit(f, ('name = "small"\n', "")), "study_option", "must be given"),
    "toml": (lambda f: edit(f, ('name = "small"', "name = small")), "toml", "TOML"),
    "bounds swapped": (
        lambda f: edit(
            f,
            (
                'like = "elevation.tif"',
                'crs = "EPSG:4326"\nresolution = 0.05\nbounds = {west = 93, east = 90, south = 32, north = 34}',
            ),
        ),
        "study_option",
        "swapped",
    ),
    "bounds uneven": (
        lambda f: edit(
            f,
            (
                'like = "elevation.tif"',
                'crs = "EPSG:4326"\nresolution = 0.07\nbounds = {west = 90, east = 93, south = 32, north = 34}',
            ),
        ),
        "grid",
        "whole number",
    ),
    "grid empty": (lambda f: edit(f, ('like = "elevation.tif"', 'like = ""')), "grid", "empty"),
    "table missing": (lambda f: missing(f, "sites.csv"), "file_missing", "sites.csv"),
    "raster missing": (lambda f: missing(f, "ndvi.tif"), "file_missing", "ndvi.tif"),
    "percent": (percent, "value_unit", "percent"),
    "censored": (lambda f: sites(f, [*site_rows(), "t1,91,33,<0.3"]), "censored", "<0.3"),
    "doubled id": (lambda f: sites(f, [*site_rows(), "s0,91,33,0.3"]), "id_of_several_places", "s0"),
    "few sites": (lambda f: sites(f, site_rows(4)), "too_few_sites", "4 sites"),
    "constant target": (lambda f: sites(f, [row.rsplit(",", 1)[0] + ",0.2" for row in site_rows()]), "value_constant", "0.2"),
    "no target": (lambda f: sites(f, [row.rsplit(",", 1)[0] + "," for row in site_rows()]), "values_missing", "No row"),
    "swapped coordinates": (lambda f: moved(f, lambda x, y: (y, x)), "coordinates", "swapped"),
    "west positive": (lambda f: moved(f, lambda x, y: (-x, y)), "coordinates", "west"),
    "far away": (lambda f: moved(f, lambda x, y: (x - 60, y + 20)), "sites_outside_grid", "No site"),
    "constant covariate": (lambda f: replaced(f, "ndvi.tif", np.full((40, 60), 0.3, np.float32)), "constant", "0.3"),
    "empty covariate": (
        lambda f: replaced(f, "ndvi.tif", np.full((40, 60), -1, np.float32), nodata=-1.0),
        "all_nodata",
        "nodata",
    ),
    "no crs": (lambda f: replaced(f, "ndvi.tif", SENTINEL[4:], crs=None), "no_crs", "CRS"),
    "sentinel": (lambda f: replaced(f, "ndvi.tif", SENTINEL), "sentinel", "-9999"),
    "no overlap": (lambda f: replaced(f, "ndvi.tif", SENTINEL[4:], west=10.0), "grid_overlap", "overlap"),
    "truncated": (truncated, "raster_truncated", "truncated"),
    "mask empty": (lambda f: masked(f, np.zeros((40, 60), np.uint8)), "mask_empty", "mask_values"),
    "mask elsewhere": (lambda f: masked(f, HALF, west=10.0), "grid_overlap", "mask"),
    "unknown learner": (lambda f: edit(f, ('name = "random_forest"', 'name = "random_florist"')), "learner", "random_florist"),
    "compared learner": (
        lambda f: edit(f, ("[selection]", '[comparison]\nenabled = true\nlearners = ["linear", "lineer"]\n[selection]')),
        "learner",
        "comparison.learners lineer",
    ),
    "headline": (lambda f: edit(f, ("[selection]", '[validation]\nheadline = "time"\n[selection]')), "headline_missing", "time"),
    "months": (lambda f: edit(f, ("[selection]", "[screening]\nseason_months = [13]\n[selection]")), "month_range", "13"),
    "season without dates": (
        lambda f: edit(f, ("[selection]", "[screening]\nseason_months = [9]\n[selection]")),
        "column_needed",
        "no dates",
    ),
    "survey folds": (
        lambda f: edit(f, ("[selection]", '[validation]\nschemes = ["survey", "knndm"]\n[selection]')),
        "column_needed",
        "survey",
    ),
    "unknown keep": (lambda f: edit(f, ("enabled = false", 'enabled = false\nkeep = ["slope"]')), "name_unknown", "slope"),
    "column": (lambda f: edit(f, ('value = "vwc"', 'value = "vwcc"')), "column_missing", "vwcc"),
    "limits": (
        lambda f: edit(f, ("[selection]", "[screening]\nminimum = 1\nmaximum = 0\n[selection]")),
        "limits_swapped",
        "swapped",
    ),
    "derived": (
        lambda f: edit(
            f, ("[[learners]]", '[[derived]]\nname = "s"\nmethod = "slope"\ninputs = {elevation = "dem"}\n[[learners]]')
        ),
        "derived_option",
        "dem",
    ),
    "too few covariates": (lambda f: edit(f, ("enabled = false", "enabled = true")), "too_few_covariates", "2"),
    "categories": (
        lambda f: edit(f, ('path = "ndvi.tif"', 'path = "ndvi.tif"\nkind = "categorical"')),
        "too_many_categories",
        "continuous",
    ),
}


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_every_fault_of_a_study_is_named(small_study, name):
    """Each fault has its code, and the text shows what came."""
    make, code, words = BROKEN[name]
    report = check(make(small_study))
    found = [fault for fault in report.faults if fault.code == code]
    assert found, report.text()
    assert any(words in fault.message + fault.where for fault in found), report.text()
    assert found[0].severity in ("error", "warning")


def test_all_faults_are_named_at_once(small_study):
    """A wrong key, a missing raster, a censored value, percent... one report holds them all."""
    edit(small_study, ("enabled = false", "enabeld = false"), ('name = "random_forest"', 'name = "forest_of_fools"'))
    rows = [f"{row.rsplit(',', 1)[0]},{float(row.rsplit(',', 1)[1]) * 100:.1f}" for row in site_rows()]
    sites(small_study, [*rows, "t1,91,33,<12"])
    missing(small_study, "ndvi.tif")
    array = np.full((40, 60), 7, np.float32)
    replaced(small_study, "elevation.tif", array)
    assert {"study_option", "learner", "censored", "value_unit", "file_missing", "constant"} <= errors(small_study)


def test_what_can_be_read_is_checked_behind_a_broken_grid(small_study):
    """Swapped bounds do not hide the sentinel in a raster."""
    bounds = 'crs = "EPSG:4326"\nresolution = 0.05\nbounds = {west = 93, east = 90, south = 32, north = 34}'
    edit(small_study, ('like = "elevation.tif"', bounds))
    replaced(small_study, "ndvi.tif", SENTINEL)
    assert {"study_option", "sentinel"} <= errors(small_study)


def test_a_fault_of_several_layers_is_said_once(small_study):
    """The same message about two covariates becomes one fault that names both."""
    edit(
        small_study,
        ('path = "elevation.tif"', 'path = "elevation.tif"\ncrs = "EPSG:0"'),
        ('path = "ndvi.tif"', 'path = "ndvi.tif"\ncrs = "EPSG:0"'),
    )
    for name in ("elevation.tif", "ndvi.tif"):
        replaced(small_study, name, SENTINEL[4:] + 1, crs=None)
    found = [fault for fault in check(small_study).faults if fault.code == "crs_unknown"]
    assert [fault.where for fault in found] == ["covariate elevation, covariate ndvi"]


def test_sites_outside_and_without_covariates_are_counted(small_study):
    """Sites beyond the grid and sites on nodata are told apart."""
    array = np.linspace(0, 0.8, 2400, dtype=np.float32).reshape(40, 60)
    array[:20] = np.nan
    replaced(small_study, "ndvi.tif", array)
    replaced(small_study, "elevation.tif", array * 1000)
    sites(small_study, [*site_rows(), "far,120,33,0.2"])
    found = {fault.code: fault.message for fault in check(small_study).faults}
    assert "1 of 41 sites" in found["sites_outside_grid"]
    assert "of 40 sites have no covariate" in found["sites_without_covariates"]


def test_mask_that_leaves_sites_out(small_study):
    """Sites outside the mask are a warning, all of them an error."""
    assert "sites_outside_mask" in serious(masked(small_study, HALF))
    north = np.zeros((40, 60), np.uint8)
    north[:1] = 1
    replaced(small_study, "mask.tif", north)
    assert "sites_outside_mask" in errors(small_study)


def test_categories_without_sites_are_named(small_study):
    """A soil class that no site has."""
    soil = np.ones((40, 60), np.uint8)
    soil[:, 30:] = 2
    soil[0, 0] = 3
    replaced(small_study, "ndvi.tif", soil)
    edit(
        small_study,
        ('path = "ndvi.tif"\ngroup = "vegetation"', 'path = "ndvi.tif"\nkind = "categorical"\ngroup = "soil"'),
        ('name = "ndvi"', 'name = "soil"'),
    )
    found = {fault.code: fault.message for fault in check(small_study).faults}
    assert "1 of 3 categories have no site: 3" in found["category_without_site"]


def test_cell_sizes_that_do_not_fit_are_notes(small_study, smooth):
    """A much coarser and a much finer layer."""
    replaced(small_study, "ndvi.tif", np.linspace(0, 0.8, 6, dtype=np.float32).reshape(2, 3), cell=1.0)
    assert "layer_coarse" in check(small_study).codes
    replaced(small_study, "ndvi.tif", np.linspace(0, 0.8, 480_000, dtype=np.float32).reshape(600, 800), cell=0.00375)
    report = check(small_study)
    assert "layer_fine" in report.codes
    assert "average" in next(fault.message for fault in report.faults if fault.code == "layer_fine")


def test_absolute_paths_are_a_note(small_study):
    """A study that can't be moved is told so."""
    edit(small_study, ('path = "ndvi.tif"', f'path = "{(small_study / "ndvi.tif").as_posix()}"'))
    assert "path_absolute" in check(small_study).codes


def test_layers_in_another_crs_are_read_at_the_sites(small_study, smooth):
    """A projected covariate is no fault, and the sites find their values in it."""
    replaced(
        small_study,
        "ndvi.tif",
        np.tile(np.linspace(0, 0.8, 80, dtype=np.float32), (80, 1)),
        crs="EPSG:32646",
        west=200_000.0,
        north=3_850_000.0,
        cell=8000.0,
    )
    assert serious(small_study) == set(), check(small_study).text()


def test_real_study_of_grids_and_boreholes(shared_data, tmp_path):
    """A study of the real stack and boreholes has no error."""
    from alm_core.new import new_study

    folder = tmp_path / "stack"
    folder.mkdir()
    for name in ("elevation_m", "soil_clay_pct", "koppen_code", "t2m_annual_lapse_c", "permafrost_cci_pfr2018_pct"):
        shutil.copy(shared_data / "grids_north45_0p25" / f"{name}.tif", folder)
    made = new_study(tmp_path / "magt", sites=shared_data / "sites_magt_north45" / "magt_sites_north45.csv", covariates=folder)
    report = check(made.path)
    assert report.ok, report.text()
    assert "category_without_site" in report.codes
