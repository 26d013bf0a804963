"""Counts of sites for figures."""

from __future__ import annotations

import numpy as np
import pandas as pd

from alm_core.inspection.site_summary import bin_edges, value_histogram


def test_every_site_with_a_value_is_in_one_bin() -> None:
    """Counts and ids add up to the sites that have a value, by group."""
    rng = np.random.default_rng(0)
    sites = pd.DataFrame({"site_id": [f"s{i}" for i in range(50)], "value": rng.uniform(0, 0.7, 50), "method": ["a", "b"] * 25})
    sites.loc[3, "value"] = np.nan
    sites.loc[4, "method"] = None
    counts = value_histogram(sites)
    assert counts["count"].sum() == 49
    assert sorted(site for ids in counts["site_ids"] for site in ids) == sorted(set(sites["site_id"]) - {"s3"})
    assert counts.groupby("group")["count"].sum().to_dict() == {"a": 24, "b": 24, "unknown": 1}
    for row in counts.itertuples():
        values = sites.set_index("site_id").loc[list(row.site_ids), "value"]
        assert ((values >= row.low) & (values < row.high)).all()


def test_largest_value_has_a_bin() -> None:
    """A value on the last edge is inside."""
    for values in ([0.0, 1.0], [0.0, 0.5, 1.0], [-3.0, 12.0], [0.3, 0.3]):
        edges = bin_edges(np.array(values), bins=10)
        assert edges[0] <= min(values)
        assert max(values) < edges[-1]
        assert np.allclose(np.diff(edges), edges[1] - edges[0])


def test_labels_are_their_own_bins() -> None:
    """Classes are counted as they are, without a method too."""
    sites = pd.DataFrame({"site_id": ["a", "b", "c"], "value": ["wet", "dry", "wet"]})
    counts = value_histogram(sites)
    assert counts[["low", "count"]].to_numpy().tolist() == [["dry", 1], ["wet", 2]]


def test_no_value_at_all() -> None:
    """A table without values gives no bars."""
    assert value_histogram(pd.DataFrame({"site_id": ["a"], "value": [np.nan]})).empty
