"""What columns and layers are taken for."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from alm_core.guessing import (
    guess_columns,
    guess_group,
    guess_kind,
    guess_layer,
    is_excluding_mask,
    is_mask,
    looks_like_classes,
    looks_like_percent,
    looks_projected,
    outliers,
    skewness,
    unit_of_name,
)
from alm_core.sites.reading import read_raw


def columns(header, rows=6):
    """Guessed columns of a table with numbers in every column."""
    frame = pd.DataFrame({name: [str(index + position * 0.5) for index in range(rows)] for position, name in enumerate(header)})
    return {name: guess.column for name, guess in guess_columns(frame).items()}


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (
            ["编号", "经度", "纬度", "体积含水量"],
            {"site_id": "编号", "longitude": "经度", "latitude": "纬度", "value": "体积含水量"},
        ),
        (
            ["ID", "Lon (deg)", "Lat (deg)", "VWC [%]"],
            {"site_id": "ID", "longitude": "Lon (deg)", "latitude": "Lat (deg)", "value": "VWC [%]"},
        ),
        (
            ["station", "easting", "northing", "zinc"],
            {"site_id": "station", "longitude": "easting", "latitude": "northing", "value": "zinc"},
        ),
        (
            ["lon", "lat", "elev_m", "year", "alt_cm", "alt_sd_cm"],
            {"longitude": "lon", "latitude": "lat", "value": "alt_cm", "year": "year"},
        ),
        (
            ["lon_wgs84", "lat_wgs84", "n_years", "ground_temp"],
            {"longitude": "lon_wgs84", "latitude": "lat_wgs84", "value": "ground_temp"},
        ),
    ],
)
def test_columns_in_two_languages(header, expected):
    """Usual names, words in names, and nothing that is not there."""
    assert columns(header) == expected


def test_the_named_target_wins_and_the_others_are_shown():
    """What the user says is taken; what else it could be is listed."""
    frame = pd.DataFrame({"x": ["1", "2"], "y": ["3", "4"], "lead": ["5", "6"], "zinc": ["7", "8"]})
    guess = guess_columns(frame, target="zinc")["value"]
    assert (guess.column, guess.alternatives) == ("zinc", ("lead",))


def test_texts_become_survey_and_method():
    """Columns of repeated words; a column of names is neither."""
    frame = pd.DataFrame(
        {
            "id": [str(number) for number in range(12)],
            "lon": ["91.5"] * 12,
            "lat": ["33.5"] * 12,
            "vwc": ["0.2"] * 12,
            "data source": ["a", "b"] * 6,
            "instrument": ["GPR", "ring"] * 6,
            "author note": [f"note {number}" for number in range(12)],
        }
    )
    found = {name: guess.column for name, guess in guess_columns(frame).items()}
    assert (found["survey"], found["method"]) == ("data source", "instrument")


def test_raw_measurements_need_no_value():
    """A table of ring weights has no column to map, and none is invented."""
    found = columns(["id", "lon", "lat", "wet_mass", "dry_mass"])
    assert "value" not in found
    assert {"wet_mass", "dry_mass"} <= set(found)


def test_real_tables_are_understood(shared_data):
    """Boreholes, active layer, PANGAEA text."""
    for name, value, survey in (
        ("sites_magt_north45/magt_sites_north45.csv", "magt_c", "source"),
        ("sites_calm_alt/calm_alt_sites.csv", "alt_cm", "country"),
        ("sites_calm_alt/GTN-P_CALM_1990-2024.tab", "ALD [cm]", "Country"),
    ):
        found = guess_columns(read_raw(shared_data / name).frame)
        assert (found["value"].column, found["survey"].column) == (value, survey)


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("SRTM_dem_90m", "terrain"), ("slope_deg", "terrain"), ("twi", "terrain"), ("elevation_m", "terrain"),
        ("MOD13A3_NDVI_mean", "vegetation"), ("EVI", "vegetation"), ("landcover_2015", "vegetation"),
        ("LAI_summer", "vegetation"),
        ("soil_clay_pct", "soil"), ("sand_0_5cm", "soil"), ("bdod_5-15cm", "soil"), ("SOC", "soil"), ("gldas_sm_0_10cm", "soil"),
        ("soil_temperature", "soil"), ("bio12", "climate"), ("wc2.1_30s_bio_1", "climate"), ("t2m_annual_c", "climate"),
        ("precip_jja_mm", "climate"), ("LST_day", "climate"), ("tdd_lapse", "climate"), ("S1_VV_2017", "radar"),
        ("sar_vh", "radar"),
        ("landimg2", "vegetation"), ("geology", "other"), ("permafrost_extent", "other"), ("station_density", "other"),
    ],
)  # fmt: skip
def test_groups_by_name(name, group):
    """The group that a person would name."""
    assert guess_group(name)[0] == group


def test_groups_by_description():
    """Where the name says nothing the description may."""
    assert guess_group("b1", "Normalised difference NDVI")[0] == "vegetation"
    assert guess_group("b1")[0] == "other"


@pytest.mark.parametrize(
    ("name", "dtype", "distinct", "kind"),
    [
        ("koppen_code", "uint8", tuple(map(float, range(30))), "categorical"),
        ("soil", "int32", (1.0, 2.0, 3.0), "categorical"),
        ("landcover", "float32", (1.0, 2.0, 9.0), "categorical"),
        ("ndvi", "int16", None, "continuous"),
        ("share", "float32", (0.0, 0.5, 1.0), "continuous"),
        ("slope", "uint8", tuple(map(float, range(40))), "continuous"),
        ("class_probability", "float32", (0.25, 0.5), "continuous"),
    ],
)
def test_kinds(name, dtype, distinct, kind):
    """Few whole numbers are categories, everything else is not."""
    assert guess_kind(name, dtype, distinct)[0] == kind


def test_declared_units_go_before_names():
    """A layer's own unit is kept; categories have none."""
    assert guess_layer("depth_cm", dtype="float32", distinct=None, unit="m").unit == "m"
    assert guess_layer("depth_cm", dtype="float32", distinct=None).unit == "cm"
    assert guess_layer("class_m", dtype="uint8", distinct=(1.0, 2.0)).unit == ""


def test_units_of_names():
    """At the end of a name, in brackets, or nowhere."""
    found = [unit_of_name(name) for name in ("t2m_annual_c", "clay_pct", "sm_kgm2_2016", "ALD [cm]", "含水量（%）", "zinc")]
    assert found == ["degC", "%", "kg m-2", "cm", "%", ""]


def test_masks():
    """A mask is called so and holds 0 and 1; lakes and glaciers are masks of what is left out."""
    assert is_mask("mask_tibet_plateau", (0.0, 1.0))
    assert not is_mask("mask", (0.0, 1.0, 2.0))
    assert not is_mask("soil", (0.0, 1.0))
    assert is_excluding_mask("mask_lake")
    assert not is_excluding_mask("mask_tibet_plateau")


def test_percent_classes_projection_outliers():
    """Judgements on numbers."""
    assert looks_like_percent("vwc", np.array([12.0, 30.0, 25.0]))
    assert not looks_like_percent("vwc", np.array([0.1, 0.3]))
    assert not looks_like_percent("zinc", np.array([12.0, 30.0]))
    assert not looks_like_classes(np.array([0.5, 1.5] * 20))
    assert looks_projected(np.array([181000.0, np.nan]), np.array([333000.0, 1.0]))
    assert not looks_projected(np.array([91.0]), np.array([33.0]))
    assert list(outliers(np.array([1.0, 2, 3, 2, 1, 2, 90]), 4.5)) == [6]
    assert skewness(np.full(5, 2.0)) == 0
    assert skewness(np.exp(np.linspace(0, 5, 50))) > 1
