"""Every rule takes out what it should, in order, says why, and can be overruled."""

from __future__ import annotations

import inspect

import numpy as np
import pandas as pd
import pytest

from alm_core.errors import SitesError
from alm_core.grid import Grid
from alm_core.options import ScreeningOptions
from alm_core.sites.screening import BY_HAND, RULES, UNUSABLE, audit, screen
from alm_core.sites.table import SiteTable

GRID = Grid.from_bounds((90, 30, 95, 35), 0.1, crs="EPSG:4326")


def sites(count=40, seed=1, **columns):
    """Sites in cells of their own, with quiet values."""
    rng = np.random.default_rng(seed)
    number = np.arange(count)
    frame = pd.DataFrame(
        {
            "site_id": [f"s{index:03d}" for index in number],
            "longitude": 90.05 + 0.1 * (number % 50),
            "latitude": 34.95 - 0.1 * (number // 50),
            "value": 0.25 + 0.02 * rng.standard_normal(count),
            "source_row": number + 2,
        }
    )
    for name, value in columns.items():
        frame[name] = value
    return frame


def run(frame, **options):
    """Screen on the grid."""
    return screen(SiteTable(frame), **{"grid": GRID, **options})


def verdict(frame, site, **options):
    """Kept, rule, rule value and reason of one site."""
    row = run(frame, **options).frame.iloc[site]
    return bool(row["kept"]), row["rule"], row["rule_value"], row["reason"]


def test_options_are_those_of_the_study():
    """The pipeline hands the options over by name; defaults agree."""
    keywords = screen.__kwdefaults__
    for name, field in ScreeningOptions.model_fields.items():
        assert name in keywords, name
        assert (keywords[name] or None) == (field.default or None), name
    screen(SiteTable(sites()), **ScreeningOptions().model_dump())


def test_good_sites_are_kept():
    """Nothing is wrong, nothing goes."""
    table = run(sites())
    assert table.frame["kept"].all()
    assert (table.frame["reason"] == "").all()
    assert len(table.kept) == 40
    assert audit(table)["removed"].sum() == 0


RULE_CASES = {
    "no_value": ({"value": np.nan}, {}, "no value", np.nan),
    "no_coordinates": ({"longitude": np.nan}, {}, "no coordinates", np.nan),
    "outside_grid": ({"longitude": 80.0}, {}, "outside the grid", -1),
    "outside_slices": ({"date": pd.Timestamp("2012-06-01"), "slice": ""}, {}, "outside every slice: year 2012", 2012),
    "minimum": ({"value": -0.1}, {"minimum": 0.0, "outlier_z": None}, "value -0.1 is below the minimum 0", -0.1),
    "maximum": ({"value": 1.2}, {"maximum": 1.0}, "value 1.2 is above the maximum 1", 1.2),
    "porosity": ({"porosity": 0.1, "value": 0.25}, {"porosity_bound": True}, "above the porosity 0.100", 0.15),
    "depth": (
        {"depth_top": 0.2, "depth_bottom": 0.4},
        {"depth_minimum_m": 1, "depth_maximum_m": 40},
        "depth 0.3 m, expected 1 to 40",
        0.3,
    ),
    "season": ({"date": pd.Timestamp("2012-06-01")}, {"season_months": [9, 10]}, "measured in month 6, season is month 9, 10", 6),
    "years": ({"date": pd.Timestamp("2008-09-01")}, {"first_year": 2009}, "year 2008, expected from 2009 on", 2008),
    "outlier": ({"value": 0.9}, {}, "robust standard deviations from the median of all", None),
}  # fmt: skip


@pytest.mark.parametrize("rule", RULE_CASES)
def test_each_rule_alone(rule):
    """The site that breaks it goes, with the number; all others stay."""
    columns, options, text, number = RULE_CASES[rule]
    frame = sites(date=pd.Timestamp("2012-09-15"), porosity=0.6, depth_top=1.0, depth_bottom=9.0)
    for name, value in columns.items():
        frame.loc[5, name] = value
    table = run(frame, **options)
    row = table.frame.iloc[5]
    assert not row["kept"]
    assert row["rule"] == rule
    assert text in row["reason"]
    if number is not None:
        np.testing.assert_allclose(row["rule_value"], number)
    assert table.frame["kept"].sum() == 39
    counts = audit(table).set_index("rule")["removed"]
    assert counts[rule] == 1
    assert counts.sum() == 1


def test_unknown_month_year_or_depth_can_not_pass():
    """A rule that can't be judged takes the site out; a table without the column at all is a fault."""
    frame = sites(date=pd.Timestamp("2012-09-15"), date_is_year=False, depth_top=1.0, depth_bottom=2.0)
    frame.loc[3, "date"], frame.loc[4, "date_is_year"], frame.loc[5, ["depth_top", "depth_bottom"]] = pd.NaT, True, np.nan
    assert "month unknown" in verdict(frame, 3, season_months=[9])[3]
    assert "month unknown" in verdict(frame, 4, season_months=[9])[3]
    assert verdict(frame, 4, first_year=2009)[0]
    assert "year unknown" in verdict(frame, 3, last_year=2020)[3]
    assert "depth unknown" in verdict(frame, 5, depth_maximum_m=3)[3]
    for option in ({"season_months": [9]}, {"first_year": 2009}, {"depth_minimum_m": 1}):
        with pytest.raises(SitesError, match=r"is set, but the table has no"):
            run(sites(), **option)


def test_mask_and_covariates():
    """Outside the mask, outside every covariate, too many missing."""
    frame, mask = sites(), np.ones(40, bool)
    features = pd.DataFrame(np.random.default_rng(0).standard_normal((40, 4)), columns=list("abcd"))
    mask[3] = False
    features.iloc[4] = np.nan
    features.iloc[5, :2] = np.nan
    features.iloc[6, :1] = np.nan
    options = {"inside_mask": mask, "features": features, "require_inside_mask": True, "neighbour_z": None}
    table = run(frame, **options)
    assert table.frame["rule"][[3, 4, 5, 6]].tolist() == ["outside_mask", "outside_covariates", "missing_covariates", ""]
    assert table.frame["rule_value"][5] == 0.5
    assert run(frame, **{**options, "require_inside_mask": False}).frame["kept"][3]
    # rows of the covariates may come in another order when they carry the ids
    shuffled = features.set_index(frame["site_id"]).sample(frac=1, random_state=2)
    pd.testing.assert_frame_equal(run(frame, **{**options, "features": shuffled}).frame, table.frame)
    with pytest.raises(SitesError, match="no mask was given"):
        run(frame, require_inside_mask=True)
    with pytest.raises(SitesError, match="features has 39 rows"):
        run(frame, features=features.iloc[1:])


def test_duplicates_keep_one_unaltered():
    """The median, the newest or the least uncertain of a cell; no value changes."""
    frame = sites(date=pd.Timestamp("2012-09-15"), uncertainty=0.02)
    frame.loc[[1, 2], ["longitude", "latitude"]] = frame.loc[0, ["longitude", "latitude"]].to_numpy()
    frame.loc[[0, 1, 2], "value"] = [0.20, 0.24, 0.30]
    frame.loc[0, "date"] = pd.Timestamp("2020-09-15")
    frame.loc[2, "uncertainty"] = 0.01
    for choice, kept in (("median", 1), ("newest", 0), ("least_uncertain", 2)):
        table = run(frame, duplicate_choice=choice)
        assert np.flatnonzero(table.frame["kept"][:3]).tolist() == [kept]
        assert (table.frame["rule_value"][:3].drop(kept) == 3).all()
        assert f"s00{kept} is used" in table.frame["reason"][2 if kept != 2 else 0]
        np.testing.assert_array_equal(table.frame["value"], frame["value"])
    assert run(frame, duplicate_distance_cells=None).frame["kept"].all()
    # without a grid the cells may be given
    cells = GRID.cell_index(frame["longitude"], frame["latitude"])
    found = screen(SiteTable(frame), cell_index=cells)
    assert found.frame["kept"].tolist() == run(frame).frame["kept"].tolist()
    with pytest.raises(SitesError, match="no column for it"):
        run(sites(), duplicate_choice="newest")


def test_duplicates_within_a_distance():
    """Half a cell apart across a border: one cell or not, but one group."""
    frame = sites()
    frame.loc[1, "longitude"] = frame.loc[0, "longitude"] + 0.06
    frame.loc[2, "longitude"] = 94.62
    assert run(frame).frame["kept"].all()
    table = run(frame, duplicate_distance_cells=0.7)
    assert table.frame["kept"][:2].sum() == 1
    with pytest.raises(SitesError, match="distances need the grid"):
        screen(SiteTable(frame), duplicate_distance_cells=0.7)


def test_outlier_by_hand():
    """Median 4, MAD 2: z of 100 is 96 / (2 x 1.4826)."""
    frame = sites(9)
    frame["value"] = [0.0, 1, 2, 3, 4, 5, 6, 7, 100]
    table = run(frame)
    assert table.frame["rule"].tolist() == [""] * 8 + ["outlier"]
    assert table.frame["rule_value"][8] == pytest.approx(96 / (2 * 1.4826))
    # 100 lies on the line that a logarithm makes of growth
    frame["value"] = 1.9 ** np.arange(9.0)
    assert not run(frame).frame["kept"].all()
    assert run(frame, transform="log").frame["kept"].all()


def test_statistics_never_use_removed_sites():
    """Wild values outside the season must not widen the spread for the others."""
    frame = sites(60, date=pd.Timestamp("2012-09-15"))
    frame.loc[:28, "date"], frame.loc[:28, "value"] = pd.Timestamp("2012-06-15"), np.linspace(5, 50, 29)
    frame.loc[59, "value"] = 0.6
    assert verdict(frame, 59, season_months=[9])[1] == "outlier"
    assert verdict(frame, 59)[1] == ""


def test_neighbour_outlier():
    """A value that is usual over all sites but not among its likes; distance ignores codes and units."""
    rng = np.random.default_rng(5)
    frame, wetness = sites(80), np.linspace(0, 1, 80)
    frame["value"] = 0.1 + 0.4 * wetness + 0.01 * rng.standard_normal(80)
    frame.loc[78, "value"] = 0.08
    features = pd.DataFrame({"wetness": wetness * 1e6, "flat": 1.0, "code": rng.permutation(80) * 1e3})
    table = run(frame, features=features, categorical=["code"], neighbour_floor=0.25)
    assert table.frame["rule"].tolist() == ["neighbour_outlier" if site == 78 else "" for site in range(80)]
    assert "12 sites with the most similar covariates" in table.frame["reason"][78]
    # the 12 nearest of site 78 are 79 and 67 to 77; they agree so well that the floor is their spread
    spread = 1.4826 * np.median(np.abs(frame["value"] - frame["value"].median()))
    expected = abs(0.08 - frame["value"][[*range(67, 78), 79]].median()) / (0.25 * spread)
    assert table.frame["rule_value"][78] == pytest.approx(expected)
    assert run(frame, features=features, categorical=["code"], task="classification").frame["kept"].all()


def test_first_rule_names_the_reason():
    """Order of the rules, not of the faults."""
    frame = sites(date=pd.Timestamp("2012-09-15"))
    frame.loc[7, ["value", "date"]] = [9.0, pd.Timestamp("2012-06-15")]
    assert verdict(frame, 7, season_months=[9], maximum=1.0)[1] == "season"
    assert verdict(frame, 7, maximum=1.0)[1] == "maximum"
    assert verdict(frame, 7)[1] == "outlier"


def test_by_hand():
    """Kept sites say what they broke, excluded ones why; ids must exist; what can't be used can't be kept."""
    frame = sites()
    frame.loc[7, "value"], frame.loc[8, "value"] = 9.0, np.nan
    table = run(frame, maximum=1.0, keep=("s007", "s008"), exclude={"s001": "moved", "s002": ""})
    kept, rule, number, reason = table.frame.loc[7, ["kept", "rule", "rule_value", "reason"]]
    assert (kept, rule, number, reason) == (True, "maximum", 9.0, "kept by hand (value 9 is above the maximum 1)")
    assert table.frame["reason"][[1, 2]].tolist() == ["taken out by hand: moved", "taken out by hand"]
    assert table.frame["rule"][1] == BY_HAND
    assert not table.frame["kept"][8]
    assert table.frame["reason"][8] == "no value: can't be kept by hand"
    counts = audit(table).set_index("rule")
    assert counts.loc["maximum", ["removed", "kept_by_hand"]].tolist() == [0, 1]
    assert counts.loc[BY_HAND, "removed"] == 2
    with pytest.raises(SitesError, match="nobody"):
        run(frame, keep=("nobody",))
    with pytest.raises(SitesError, match="both in keep and in exclude: s001"):
        run(frame, keep=("s001",), exclude={"s001": "x"})


def test_audit_adds_up_and_follows_the_order():
    """Removed and kept sites are all sites; rules stand in the order asked."""
    frame = sites(50, date=pd.Timestamp("2012-09-15"))
    frame.loc[:9, "value"] = [np.nan, -1, -1, 2, 2, 2, 0.9, 0.24, 0.25, 0.26]
    frame.loc[10:14, "date"] = pd.Timestamp("2012-01-15")
    table = run(frame, minimum=0.0, maximum=1.0, season_months=[9])
    counts = audit(table)
    assert counts["rule"].tolist() == [BY_HAND, *RULES]
    assert counts["removed"].sum() + table.frame["kept"].sum() == 50
    assert table.to_dict()["removed"] == {"maximum": 3, "minimum": 2, "no_value": 1, "outlier": 1, "season": 5}
    with pytest.raises(SitesError, match="not screened"):
        audit(SiteTable(frame))
    assert list(UNUSABLE) == list(RULES)[:5]


def test_screening_twice_is_screening_once():
    """Old verdicts are forgotten, and the table survives its file."""
    frame = sites()
    frame.loc[7, "value"] = 9.0
    once = run(frame, maximum=1.0)
    again = screen(once, grid=GRID, maximum=1.0)
    pd.testing.assert_frame_equal(once.frame, again.frame)
    assert screen(once, grid=GRID, outlier_z=None).frame["kept"].all()


def test_audited_table_survives_its_file(tmp_path):
    """kept, reason, rule and rule value come back as they were."""
    frame = sites()
    frame.loc[7, "value"] = 9.0
    table = run(frame, maximum=1.0)
    table.to_parquet(tmp_path / "sites.parquet")
    again = SiteTable.from_parquet(tmp_path / "sites.parquet")
    pd.testing.assert_frame_equal(table.frame, again.frame, check_exact=True)
    assert len(again.kept) == 39


def test_order_of_rows_does_not_matter():
    """Permuted rows give the same verdicts, numbers and words."""
    rng = np.random.default_rng(9)
    frame = sites(120, seed=4)
    frame["longitude"] = 90 + 5 * rng.random(120).round(2)
    frame["latitude"] = 30 + 5 * rng.random(120).round(2)
    frame.loc[5, "value"] = 0.7
    features = pd.DataFrame(rng.standard_normal((120, 3)), index=frame["site_id"])
    features.iloc[20:24] = features.iloc[19].to_numpy()
    options = {"features": features, "duplicate_distance_cells": 1.0, "outlier_z": 2.0, "neighbour_z": 2.5}
    first = run(frame, **options).frame
    second = run(frame.sample(frac=1, random_state=3), **options).frame
    assert first["rule"].nunique() == 4
    pd.testing.assert_frame_equal(first, second, check_exact=True)


def test_rules_that_can_not_be_judged_are_noted():
    """Too few sites for statistics, no grid for duplicates, no porosity: said, not guessed."""
    table = screen(SiteTable(sites(5)), porosity_bound=True, features=pd.DataFrame(np.ones((5, 2))))
    assert table.frame["kept"].all()
    text = " | ".join(table.notes)
    for rule in ("duplicate", "porosity", "outlier", "neighbour_outlier"):
        assert f"rule {rule} not judged" in text


def test_every_rule_is_documented():
    """A rule is found by its name and says what it asks."""
    assert all(inspect.getdoc(rule) for rule in RULES.values())
