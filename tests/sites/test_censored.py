"""Values such as <66 and >124: bounds, and never numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from alm_core.errors import SitesError, TableError
from alm_core.sites.censored import bound_scores, split_censored, summarise_bounds
from alm_core.sites.faults import Faults
from alm_core.sites.table import check_target, read_sites

ROWS = "site,lon,lat,year,value\na,90,60,1990,35\na,90,60,1991,<66\nb,91,61,1990,>124\nc,92,62,1990,≥ 80.5\nd,93,63,1990,41\n"


def write(tmp_path, text):
    """A table and its path."""
    path = tmp_path / "sites.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_bounds_leave_the_table_and_are_counted(tmp_path):
    """What is left is what can be learned from; the note says how many went, and where they stood."""
    table = read_sites(write(tmp_path, ROWS), censored="bounds", repeats="mean")
    assert table.frame["site_id"].tolist() == ["a", "d"]
    assert table.frame["value"].tolist() == [35.0, 41.0]
    assert table.bounds["site_id"].tolist() == ["a", "b", "c"]
    assert table.bounds["lower_bound"].tolist() == [-np.inf, 124.0, 80.5]
    assert table.bounds["upper_bound"].tolist() == [66.0, np.inf, np.inf]
    note = next(text for text in table.notes if "censored" in text)
    assert "3 censored value(s), 1 below and 2 above a bound, at 3 site(s)" in note
    assert not any("without a value" in text for text in table.notes)


def test_censored_values_are_refused_by_default(tmp_path):
    """The message names the cells and the option that keeps them."""
    with pytest.raises(TableError, match=r"'<66' is not 66, and is kept as a bound where the study says \[target\] censored"):
        read_sites(write(tmp_path, ROWS), repeats="mean")


def test_a_sign_without_a_number_is_a_fault(tmp_path):
    """It is named, also where bounds are asked for."""
    with pytest.raises(TableError, match="no numbers"):
        read_sites(write(tmp_path, ROWS.replace(">124", ">much")), censored="bounds", repeats="mean")


def test_another_choice_is_refused(tmp_path):
    """By name."""
    with pytest.raises(TableError, match="one of refuse, bounds"):
        read_sites(write(tmp_path, ROWS), censored="half", repeats="mean")


def test_percent_and_decimal_commas_reach_the_bounds(tmp_path):
    """A bound is in the unit of the values."""
    text = "site;lon;lat;value\na;90,1;60;35,5\nb;91,2;61;<66,5\nc;92;62;12,5\n"
    table = read_sites(write(tmp_path, text), censored="bounds", value_unit="percent")
    assert table.bounds["upper_bound"].tolist() == [pytest.approx(0.665)]


def test_numbers_have_no_bounds():
    """A numeric column is left as it is."""
    cells = pd.Series([1.0, 2.0])
    plain, lower, upper = split_censored(cells, np.arange(2), "value", Faults("table"))
    assert plain is cells
    assert np.isinf(lower).all()
    assert np.isinf(upper).all()


def test_scores_of_bounds():
    """A prediction on the bound respects it; the violation is the distance to the right side."""
    scores = bound_scores(np.array([-np.inf, 124, 124]), np.array([66, np.inf, np.inf]), np.array([66.0, 100.0, 130.0]))
    assert (scores.count, scores.below, scores.above) == (3, 1, 2)
    assert scores.respected == pytest.approx(2 / 3)
    assert (scores.mean_violation, scores.largest_violation) == (8.0, 24.0)


def test_summary_reads_plain_values():
    """None stands for no bound; nothing to score gives no numbers."""
    assert summarise_bounds([{"lower": None, "upper": 66.0, "predicted": 70.0}])["mean_violation"] == 4.0
    assert summarise_bounds([])["count"] == 0


def test_a_target_without_logarithm_is_refused_before_training():
    """With the number of such sites."""
    with pytest.raises(SitesError, match="1 of 3 sites have a alt of 0 or less"):
        check_target([0.0, 3.0, 4.0], name="alt", transform="log")
