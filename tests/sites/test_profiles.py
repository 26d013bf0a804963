"""Rows become sites."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from alm_core.errors import SitesError, TableError
from alm_core.sites.faults import Faults
from alm_core.sites.profiles import check_depths, check_places, collapse, content_ids


def frame(*rows, columns=("site_id", "value", "depth_top", "depth_bottom", "uncertainty")):
    """Rows at one place, numbered as in a file."""
    table = pd.DataFrame(list(rows), columns=list(columns))
    return table.assign(longitude=91.5, latitude=33.25, source_row=np.arange(2, len(table) + 2))


def test_profile_by_hand():
    """(0.2 x 0.1 + 0.4 x 0.3) / 0.4 = 0.35; the site spans all layers."""
    found, notes = collapse(frame(("a", 0.4, 0.1, 0.4, 0.04), ("a", 0.2, 0.0, 0.1, 0.02), ("b", 0.3, 0.0, 0.2, 0.01)))
    assert list(found["site_id"]) == ["a", "b"]
    assert found["value"][0] == pytest.approx(0.35)
    assert found["uncertainty"][0] == pytest.approx(np.hypot(0.04 * 0.3, 0.02 * 0.1) / 0.4)
    assert list(found.loc[0, ["depth_top", "depth_bottom", "source_row"]]) == [0.0, 0.4, 2]
    assert "2 rows of 1 profile(s)" in notes[0]
    assert "0 profile(s) with gaps, 0 with overlaps, 0 layer(s) without a value" in notes[0]


@pytest.mark.parametrize(
    ("layers", "note"),
    [
        ([(0.1, 0.2), (0.2, 0.4)], "1 profile(s) with gaps, 0 with overlaps"),
        ([(0.0, 0.2), (0.3, 0.4)], "1 profile(s) with gaps, 0 with overlaps"),
        ([(0.0, 0.2), (0.1, 0.4)], "0 profile(s) with gaps, 1 with overlaps"),
        ([(0.0, 0.5), (0.1, 0.2), (0.5, 0.6)], "0 profile(s) with gaps, 1 with overlaps"),
    ],
)
def test_gaps_and_overlaps_are_counted(layers, note):
    """Also a gap at the surface, and a layer inside another."""
    _, notes = collapse(frame(*[("a", 0.3, top, bottom, 0.02) for top, bottom in layers]))
    assert note in notes[0]


def test_layer_without_value_is_a_counted_gap():
    """The others still make the mean."""
    found, notes = collapse(frame(("a", 0.2, 0.0, 0.1, 0.02), ("a", np.nan, 0.1, 0.2, 0.02), ("a", 0.4, 0.2, 0.5, 0.02)))
    assert found["value"][0] == pytest.approx((0.2 * 0.1 + 0.4 * 0.3) / 0.4)
    assert "1 profile(s) with gaps, 0 with overlaps, 1 layer(s) without a value" in notes[0]


def test_single_depths_reach_half_way():
    """Depths 0.1, 0.2 and 0.5 stand for 0.05-0.15, 0.15-0.35 and 0.35-0.65."""
    found, _ = collapse(frame(*[("a", value, depth, depth, 0.0) for value, depth in ((0.1, 0.1), (0.2, 0.2), (0.3, 0.5))]))
    assert found["value"][0] == pytest.approx((0.1 * 0.1 + 0.2 * 0.2 + 0.3 * 0.3) / 0.6)
    np.testing.assert_allclose(found.loc[0, ["depth_top", "depth_bottom"]].astype(float), [0.05, 0.65])


def test_rows_without_depth_in_a_profile_are_refused():
    """A layer of unknown thickness has no weight; the same depth twice is no profile."""
    with pytest.raises(SitesError, match="no depth"):
        collapse(frame(("a", 0.2, 0.0, 0.1, 0.02), ("a", 0.3, np.nan, np.nan, 0.02)))
    with pytest.raises(SitesError, match="same depth twice"):
        collapse(frame(("a", 0.2, 0.1, 0.1, 0.02), ("a", 0.3, 0.1, 0.1, 0.02)))
    with pytest.raises(SitesError, match="mixes layers"):
        collapse(frame(("a", 0.2, 0.1, 0.1, 0.02), ("a", 0.3, 0.1, 0.2, 0.02)))


def repeated():
    """Site a twice in different years, site b once."""
    table = frame(("a", 0.2, 0.03), ("a", 0.4, 0.04), ("b", 0.3, 0.02), columns=("site_id", "value", "uncertainty"))
    return table.assign(date=pd.to_datetime(["2012-09-10", "2014-09-10", "2012-09-10"]), method=["ring", "gpr", "ring"])


def test_repeats_are_refused_unless_told():
    """The message says how many rows and dates, and the ways out."""
    with pytest.raises(SitesError, match=r"a \(2 rows, 2 dates\).*'mean' or 'separate'"):
        collapse(repeated())
    with pytest.raises(SitesError, match="one of refuse, mean, separate"):
        collapse(repeated(), repeats="first")


def test_repeats_averaged():
    """Mean of value and date, uncertainty over the square root, methods joined."""
    found, notes = collapse(repeated(), repeats="mean")
    assert found["value"].tolist() == pytest.approx([0.3, 0.3])
    assert found["uncertainty"][0] == pytest.approx(0.025)
    assert found["date"][0] == pd.Timestamp("2013-09-10")
    assert found["method"][0] == "gpr + ring"
    assert "2 repeated rows of 1 site(s) averaged" in notes[0]


def test_repeats_kept_apart():
    """Every repeat gets an id with its date, a second one of the day a number."""
    table = pd.concat([repeated(), repeated().iloc[[0]].assign(value=0.25, source_row=9)], ignore_index=True)
    found, _ = collapse(table, repeats="separate")
    assert found["site_id"].tolist() == ["a@2012-09-10", "a@2012-09-10#2", "a@2014-09-10", "b"]
    assert found["value"].tolist() == [0.2, 0.25, 0.4, 0.3]


@pytest.mark.parametrize("repeats", ["mean", "separate"])
def test_order_of_rows_does_not_matter(repeats):
    """Bit for bit, apart from the row numbers of the file."""
    rng = np.random.default_rng(3)
    layers = [(f"s{site}", rng.random(), layer / 10, (layer + 1) / 10, rng.random()) for site in range(9) for layer in range(5)]
    table = frame(*layers, *[("t", rng.random(), np.nan, np.nan, 0.1) for _ in range(4)])
    first = collapse(table, repeats=repeats)[0].drop(columns="source_row")
    second = collapse(table.sample(frac=1, random_state=1), repeats=repeats)[0].drop(columns="source_row")
    pd.testing.assert_frame_equal(first, second, check_exact=True)


def test_ids_are_made_of_content():
    """Same rows, same ids, in any order; rows at one place get numbers, layers share an id."""
    table = frame(("x", 0.2), ("x", 0.4), ("x", 0.2), columns=("site_id", "value")).drop(columns="site_id")
    table.loc[1, "longitude"] = 92.0
    ids = content_ids(table)
    assert ids.nunique() == 3
    assert ids[2] == ids[0] + "-2"
    shuffled = table.iloc[[2, 1, 0]]
    assert sorted(zip(content_ids(shuffled), shuffled["value"], strict=True)) == sorted(zip(ids, table["value"], strict=True))
    layers = frame(("x", 0.2, 0, 0.1, 0), ("x", 0.4, 0.1, 0.2, 0)).drop(columns="site_id")
    assert content_ids(layers).nunique() == 1


def test_places_and_depths_are_checked():
    """One id at two places; layers upside down, above the surface or half given."""
    faults = Faults("t")
    table = frame(("a", 0.2, 0.2, 0.1, 0), ("a", 0.2, -0.1, 0.1, 0), ("b", 0.2, 0.1, np.nan, 0))
    table.loc[1, "longitude"] = 92.0
    check_places(table, faults)
    check_depths(table, faults)
    text = " | ".join(text for _, text in faults.found)
    assert [kind for kind, _ in faults.found] == [SitesError, TableError, TableError, TableError]
    assert "several places: a." in text
    assert "bottom above the top of the layer: row 2" in text
    assert "above the surface (depths are positive downwards, m): row 3" in text
    assert "only one of top and bottom depth: row 4" in text
