"""The card: complete, self-contained, escaped, and loud where data are simulated."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from alm_core.errors import MissingFileError, WorkspaceError
from alm_core.grid import Grid
from alm_core.mapping.card import write_card
from alm_core.mapping.cog import write_cog
from alm_core.mapping.facts import CardFacts, CovariateFact
from alm_core.mapping.html import bars, element, number, table

GRID = Grid.from_bounds((90, 30, 94, 33), 0.05, crs="EPSG:4326")
VOID = ("meta", "img", "br")


class Balance(HTMLParser):
    """Collects faults of nesting, and every address that the page names."""

    def __init__(self):
        super().__init__()
        self.open, self.faults, self.addresses = [], [], []

    def handle_starttag(self, tag, attrs):
        """Remember an open element."""
        if tag not in VOID:
            self.open.append(tag)
        self.addresses += [value for key, value in attrs if key in ("src", "href", "action", "data")]

    def handle_endtag(self, tag):
        """Close the last one."""
        if not self.open or self.open.pop() != tag:
            self.faults.append(tag)


def scores(r2):
    """Scores of one prediction."""
    return {"r2": r2, "rmse": 0.08, "mae": 0.06, "picp": 0.9, "mpiw": 0.26, "interval": {"r2": [r2 - 0.1, r2 + 0.1]}}


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """Facts with everything in them."""
    folder = tmp_path_factory.mktemp("map")
    rng = np.random.default_rng(0)
    value = np.add.outer(np.linspace(0, 0.3, GRID.shape[0]), np.linspace(0, 0.3, GRID.shape[1]))
    value[:10] = np.nan
    inside = np.where(np.isnan(value), np.nan, value < 0.4)
    write_cog(folder / "fused.tif", value, GRID, band_names=["fused"], units="m3 m-3")
    trust = np.stack([value - 0.1, value + 0.1, value * 3, value * 0 + 4, inside])
    names = ["lower", "upper", "dissimilarity", "density", "inside"]
    write_cog(folder / "uncertainty.tif", trust, GRID, band_names=names, units=["m3 m-3", "m3 m-3", "1", "sites", "1"])
    observed = rng.beta(2, 5, 120)
    return CardFacts(
        "Moisture of <b>the plateau</b>",
        "demo",
        "1a2b3c",
        target="water content",
        unit="m3 m-3",
        time="2009/2024",
        simulated=True,
        seed=42,
        covariates=(CovariateFact("ndvi", "vegetation", "1", "MOD13 & co", True, 0.2), CovariateFact("sand", "soil", used=False)),
        sites_total=371,
        sites_kept=342,
        removed={"outside the season": 20, 'text "<66"': 9},
        metrics={
            "headline": "knndm",
            "schemes": {"random": {"fused": scores(0.61)}, "knndm": {"forest": scores(0.4), "fused": scores(0.43)}},
        },
        observed=observed,
        predicted=0.6 * observed + 0.1 + rng.normal(0, 0.03, 120),
        weights={"forest": 0.4, "boost": 0.6},
        fusion={"bias correction": "blend 0.5"},
        interval_level=0.9,
        counts={"mapped": 1000, "masked": 50, "missing": 3, "outside": 125, "clipped": 7},
        threshold=0.9,
        fused=folder / "fused.tif",
        uncertainty=folder / "uncertainty.tif",
        site_x=np.array([91.0, 92.0]),
        site_y=np.array([31.0, 32.0]),
        limits=("Roads only.",),
        citation="Doe (2026) <script>alert(1)</script> https://doi.org/10.1/x",
        licence="CC-BY-4.0",
        hashes={"sites": "ab" * 32},
        versions={"alm_core": "0.1.0"},
    )


@pytest.fixture(scope="module")
def page(full, tmp_path_factory):
    """The whole card as text."""
    return write_card(tmp_path_factory.mktemp("card") / "card.html", full).read_text(encoding="utf-8")


def test_page_is_well_formed_and_needs_nothing(page):
    """Elements are nested well; images are inside; no script, no style sheet, no address is fetched."""
    balance = Balance()
    balance.feed(page)
    assert (balance.faults, balance.open) == ([], [])
    assert len(balance.addresses) == 5
    assert all(address.startswith("data:image/png;base64,") for address in balance.addresses)
    assert not re.search(r"url\(|@import|<script|<link|<iframe", page)


def test_images_are_pictures(page):
    """Every image decodes, is wide enough to print and not empty."""
    for data in re.findall(r'base64,([^"]+)"', page):
        image = Image.open(io.BytesIO(base64.b64decode(data)))
        assert image.width >= 900
        assert len(set(image.convert("L").resize((64, 64)).tobytes())) > 5


def test_everything_is_said(page):
    """What was mapped, from what, how good, where not to trust it, how to cite, from which inputs."""
    wanted = (
        "m³ m⁻³",
        "kNNDM answers for this map",
        "0.430",
        "87.5\N{NO-BREAK SPACE}%",
        "12.5\N{NO-BREAK SPACE}% of the mapped cells",
    )
    sources = ("MOD13 &amp; co", "outside the season", "342 kept of 371", "1 used of 2 offered", "Roads only.")
    others = ("CC-BY-4.0", "ab" * 32, "alm_core 0.1.0", "blend 0.5", "1a2b3c", "the edge of the area is at 0.900")
    for text in (*wanted, *sources, *others):
        assert text in page, text


def test_routed_cells_and_the_oracle_are_told_where_there_are_any(page, full, tmp_path):
    """Their number and what it means; how far the compiled trees are from their libraries, and who has none."""
    assert "lack some covariates" not in page
    assert "own libraries" not in page
    oracle = {"differences": {"forest": 2.5e-9}, "without": ["ridge"], "cells": 4000, "tolerance": 6e-7}
    facts = replace(full, counts={**full.counts, "routed": 41}, oracle=oracle)
    text = write_card(tmp_path / "card.html", facts).read_text(encoding="utf-8")
    assert "41 of them lack some covariates" in text
    assert "3 inside it have no covariates to predict from" in text
    assert "largest difference: forest 2.5e-09 m³ m⁻³ (at most 6.0e-07 m³ m⁻³ was allowed)" in text
    assert "nothing to compare: ridge" in text


def test_text_of_the_study_is_escaped(page):
    """Markup in a title, a reason or a citation is shown, not obeyed."""
    assert "Moisture of &lt;b&gt;the plateau&lt;/b&gt;" in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "text &quot;&lt;66&quot;" in page


def test_simulated_is_loud_and_real_is_not(full, page, tmp_path):
    """The banner stands first where data are simulated, and nowhere else."""
    assert page.index("SIMULATED DATA") < page.index("<h1>")
    facts = replace(full, simulated=False, fused=None, uncertainty=None, observed=None)
    real = write_card(tmp_path / "card.html", facts).read_text(encoding="utf-8")
    assert "SIMULATED" not in real


def test_headline_row_is_marked(page):
    """Exactly the scheme that answers for the map is marked, in the table of schemes."""
    rows = re.findall(r'<tr class="headline">(.*?)</tr>', page, re.S)
    assert len(rows) == 2  # kNNDM among the schemes, fused among the members
    assert "kNNDM" in rows[0]
    assert "fused" in rows[1]


def test_card_of_little_is_still_a_card(tmp_path):
    """A run that knows next to nothing gives a page without empty sections."""
    text = write_card(tmp_path / "card.html", CardFacts("Little", "demo", "1")).read_text(encoding="utf-8")
    balance = Balance()
    balance.feed(text)
    assert balance.faults == []
    assert re.findall(r"<h2>(.*?)</h2>", text) == ["Provenance"]


def test_no_applicability_no_claim(full, tmp_path):
    """Where no area of applicability was fitted, the card does not say that all of the map lies inside it."""
    facts = replace(full, threshold=None, observed=None, metrics={})
    text = write_card(tmp_path / "card.html", facts).read_text(encoding="utf-8")
    assert "area of applicability" not in text


def test_class_map_without_crs(tmp_path):
    """Classes get their own legend; a grid without a CRS is drawn in its own numbers; too few pairs are said."""
    grid = Grid(None, (40.0, 0.0, 0.0, 0.0, -40.0, 4000.0), (100, 80))
    codes = np.where(np.indices(grid.shape)[0] < 50, 1, 2).astype(np.uint8)
    write_cog(tmp_path / "fused.tif", codes, grid, band_names=["class"], dtype="uint8", nodata=0, resampling="mode")
    facts = CardFacts(
        "Frozen",
        "demo",
        "1",
        task="classification",
        classes={"1": "frozen $x$", "2": "thawed"},
        fused=tmp_path / "fused.tif",
        metrics={"headline": "block", "schemes": {"block": {"fused": {"overall_accuracy": 0.86, "kappa": 0.7, "interval": {}}}}},
    )
    text = write_card(tmp_path / "card.html", facts).read_text(encoding="utf-8")
    assert "overall accuracy" in text
    assert "0.860" in text
    few = replace(facts, task="regression", fused=None, classes={}, metrics={}, observed=np.ones(5), predicted=np.ones(5))
    assert "No bias curves" in write_card(tmp_path / "few.html", few).read_text(encoding="utf-8")


def test_same_facts_give_the_same_page(full, page, tmp_path):
    """Nothing in the page depends on the moment it was written."""
    assert write_card(tmp_path / "again.html", full).read_text(encoding="utf-8") == page


def test_faults_are_named(full, tmp_path):
    """A missing raster and a folder that can't be made."""
    with pytest.raises(MissingFileError, match=r"gone\.tif"):
        write_card(tmp_path / "card.html", replace(full, fused=tmp_path / "gone.tif"))
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(WorkspaceError):
        write_card(tmp_path / "file" / "card.html", CardFacts("a", "b", "c"))


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0, "0.000"), (-0.0123, "-0.0123"), (55.6, "55.6"), (1.234, "1.23"), (1e-7, "1.00e-07"), (None, "–"), (float("inf"), "–")],
)
def test_numbers_for_people(value, shown):
    """Three figures, no exponent in everyday sizes, a dash for what is no number."""
    assert number(value) == shown


def test_html_pieces_escape_their_content():
    """Cells, attributes and bar names can't break out."""
    assert "&lt;i&gt;" in table(["a"], [["<i>"]])
    assert 'title="&quot;x&quot;"' in element("p", "t", title='"x"')
    assert "&lt;b&gt;" in bars({"<b>": 1.0})
