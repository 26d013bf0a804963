"""Facts in running text of either language."""

from __future__ import annotations

import pytest

from alm_core.checking.phrases import (
    bracketed_lists,
    counted_lists,
    covered_years,
    month_ranges,
    plain_text,
    resolutions,
    sentences,
    stated_resolutions,
    year_ranges,
)


def test_plain_text_drops_tags_and_entities():
    """Paragraphs become lines."""
    assert plain_text("<p>&emsp;a &amp; b<br/>c</p><b>d</b>") == "a & b\ncd"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1980–2019", [(1980, 2019)]),
        ("from 1980 to 2018", [(1980, 2018)]),
        ("2009-2024年", [(2009, 2024)]),
        ("January 1, 2011 to December 31, 2020", [(2011, 2020)]),
        ("2011年01月01日-2020年12月31日", [(2011, 2020)]),
        ("2011-01-01", []),
        ("12010-2020", []),
    ],
)
def test_year_ranges(text, expected):
    """Ranges in every way that records write them; dates and other numbers are none."""
    assert year_ranges(text) == expected


def test_covered_years_need_a_cue():
    """Years of the forcing are not those of the product."""
    assert covered_years("Forcing of 1979-1983. The data cover the period 1980-2018.") == [(1980, 2018)]
    assert covered_years("时间跨度为2011年01月01日-2020年12月31日") == [(2011, 2020)]


@pytest.mark.parametrize("text", ["9-10 月", "9月-10月", "September to October", "Sept.-Oct.", "sep–oct"])
def test_month_ranges(text):
    """September to October, five ways."""
    assert [item[:2] for item in month_ranges(text)] == [(9, 10)]


def test_may_and_march_need_words_of_their_own():
    """Words that begin like months are none."""
    assert month_ranges("mayor and marching") == []


@pytest.mark.parametrize(
    ("text", "size", "in_degrees"),
    [
        ("90m", 90, False),
        ("1 km", 1000, False),
        ("0.1度", 0.1, True),
        ("3 arc-seconds", 3 / 3600, True),
        ("0.25 degrees", 0.25, True),
    ],
)
def test_resolutions(text, size, in_degrees):
    """Units of length and of angle."""
    found = resolutions(text)
    assert [(item.size, item.in_degrees) for item in found] == [(pytest.approx(size), in_degrees)]


def test_areas_and_fluxes_are_no_resolutions():
    """Square kilometres, cubic metres and millimetres."""
    assert resolutions("1 km² and 0.08 m³ m⁻³ and 5 mm") == []
    assert stated_resolutions("SRTM 90 m was used; the spatial resolution of 1 km is kept") == resolutions("1 km")


@pytest.mark.parametrize(
    ("text", "claimed", "fewest", "most"),
    [
        ("Four models (random forest, extra trees, XGBoost, CatBoost) were used", 4, 4, 4),
        ("7 elements, including a, b, c, d, e, f and g.", 7, 6, 7),
        ("3 indices: precipitation, freezing and thawing indices.", 3, 2, 3),
        ("提取了3项地形指标，包括：海拔（H）、坡度（S）和坡向（A）。", 3, 2, 3),
        ("包含气温、气压、降水率共3个气象要素", 3, 3, 3),
        ("30 predictors (10 terrain, 12 climate, 8 soil)", 30, 30, 30),
    ],
)
def test_counted_lists(text, claimed, fewest, most):
    """Lists behind a number, in brackets, after a colon, in both languages."""
    found = counted_lists(text)
    assert [(item.claimed, item.fewest, item.most) for item in found] == [(claimed, fewest, most)]


@pytest.mark.parametrize(
    "text",
    [
        "84 boreholes (Zhao et al., 2021)",
        "at 5-year intervals (1980-1984, 1985-1989)",
        "several indices such as a, b and c",
        "采用3种模型（随机森林、XGBoost等）",
        "13,000 cells (north, south)",
    ],
)
def test_open_lists_and_citations_are_not_counted(text):
    """Nothing that claims completeness."""
    assert counted_lists(text) == []


def test_bracketed_lists():
    """Items in lower case; single words and citations are left out."""
    assert bracketed_lists("terrain (Elevation, slope), (QTP), (He et al., 2020)") == [("elevation", "slope")]


def test_sentences_of_both_languages():
    """Decimal points do not end a sentence."""
    assert sentences("R2 is 0.6. It rained。好") == ["R2 is 0.6.", "It rained", "好"]
