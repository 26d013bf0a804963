"""The six steps of the tour: a picture on the left, a few sentences with the numbers of this run on the right."""

from __future__ import annotations

import math
from dataclasses import replace

import streamlit as st

from alm_core.diagnostics.classes import class_name
from alm_core.diagnostics.scores import first_metric, headline_scheme, honest_gap, score_table
from alm_core.workspace import read_json
from pages.parts import tour_data as data
from pages.parts import validation_data
from pages.parts.charts import COLOURS, show
from pages.parts.columns import narrow_columns
from pages.parts.frame import Page, scheme_label
from pages.parts.numbers import interval_text, number, percent, with_unit
from pages.parts.site_map import Colouring, site_map
from pages.parts.tour_figures import category_map, places_figure, pull_figure, recall_figure, show_map, value_map
from pages.parts.validation_data import place
from pages.parts.validation_scores import dots_figure
from pages.parts.words import Words

FIGURE_HEIGHT = 460
METRES_PER_KILOMETRE = 1000
BETTER = 0.7
"""Of the larger tail error: a mapped value that is off by less is called the better answer."""


def halves() -> tuple:
    """Room for the picture and for the words."""
    return narrow_columns("tour-columns").columns([3, 2], gap="medium")


def say(*sentences: str) -> None:
    """Sentences, each a paragraph; empty ones are left out."""
    st.markdown("\n\n".join(text for text in sentences if text))


def ask(page: Page, question: str) -> None:
    """The thought that leads to the next step."""
    st.info(question, icon=":material/lightbulb:")


def thumbnail(page: Page) -> None:
    """The picture of the run, where the grid is not in degrees."""
    path = page.run.folder / "map" / "thumbnail.png"
    if path.is_file():
        st.image(str(path), width="stretch")


# ---- 1 ------------------------------------------------------------------------------------------------------------------


def map_step(page: Page) -> None:
    """What the map shows."""
    st.subheader(page.t("map.title"), anchor=False)
    facts = data.map_facts(*place(page.run))
    picture, words = halves()
    with picture:
        draw_map(page)
    with words:
        target = page.options.target
        say(
            page.t(
                "map.text",
                target=capital(target.description or target.name),
                cell=length_text(facts.cell_metres),
                area=rounded(facts.area_km2),
            ),
            shares(page, facts.classes)
            if facts.classes
            else page.t(
                "map.range",
                low=with_unit(facts.low, page.unit, 2),
                high=with_unit(facts.high, page.unit, 2),
                median=with_unit(facts.median, page.unit, 2),
            ),
        )
        ask(page, page.t("map.question"))
        page.link("map", label=page.t("map.link"))


def draw_map(page: Page) -> None:
    """The fused layer over the relief."""
    classes = read_json(page.run.file("map/map.json"))["classes"]
    layer = data.layer(*place(page.run), "fused", "class" if classes else "fused", bool(classes))
    if layer is None:
        thumbnail(page)
        return
    named = {int(code): f"{page.t('map.class')} {class_name(name)}" for code, name in classes.items()}
    figure = category_map(page, layer, named) if classes else value_map(page, layer)
    show_map(page, figure, key="tour_map")


def shares(page: Page, classes: dict[str, float]) -> str:
    """Part of the area of every class."""
    parts = [page.t("map.class_one", name=class_name(name), part=percent(part)) for name, part in classes.items()]
    return page.t("map.classes", classes=", ".join(parts))


def capital(text: str) -> str:
    """The same with a large first letter."""
    return text[:1].upper() + text[1:]


def rounded(value: float, digits: int = 3) -> str:
    """A large number without the digits that nobody reads.

    Examples
    --------
    >>> rounded(1248189.0)
    '1,250,000'
    """
    return number(float(f"{value:.{digits}g}"), digits)


def length_text(metres: float) -> str:
    """A length in m or km."""
    return f"{number(metres / METRES_PER_KILOMETRE, 2)} km" if metres >= METRES_PER_KILOMETRE else f"{number(metres, 2)} m"


# ---- 2 ------------------------------------------------------------------------------------------------------------------


def sites_step(page: Page) -> None:
    """What the map stands on."""
    st.subheader(page.t("sites.title"), anchor=False)
    facts = data.site_facts(*place(page.run))
    picture, words = halves()
    with picture:
        frame = data.kept_sites(*place(page.run))
        colour = Colouring("value", page.t("sites.value"), page.unit)
        if not page.regression:
            frame["value"] = frame["value"].map(class_name)
            colour = Colouring("value", page.t("map.class"), kind="category")
        site_map(page, page.run, frame, colour=colour, key="tour_sites", on_select=None)
    with words:
        distance = data.middle_distance(*place(page.run))
        say(
            page.t("sites.text", kept=f"{facts.kept:,}", total=f"{facts.total:,}"),
            surveys_sentence(page, facts),
            methods_sentence(page, facts.methods),
            page.t("sites.sparse", cells=rounded(facts.cells_per_site, 2), distance=number(distance, 2)),
        )
        ask(page, page.t("sites.question"))
        page.link("sites", label=page.t("sites.link"))


def surveys_sentence(page: Page, facts: data.tour.SiteFacts) -> str:
    """How many surveys, and when; empty where the table names none."""
    if not facts.surveys:
        return ""
    if facts.first_year is None:
        return page.t("sites.surveys_only", surveys=facts.surveys)
    return page.t("sites.surveys", surveys=facts.surveys, first=facts.first_year, last=facts.last_year)


def methods_sentence(page: Page, methods: dict[str, int]) -> str:
    """Sites by method, where there is more than one."""
    if len(methods) < 2:
        return ""
    parts = [page.t("sites.method_one", name=name.replace("_", " "), count=count) for name, count in methods.items()]
    return page.t("sites.methods", methods=", ".join(parts))


# ---- 3 ------------------------------------------------------------------------------------------------------------------


def score_step(page: Page) -> None:
    """How good it is, by the kind test and by the honest one."""
    st.subheader(page.t("score.title"), anchor=False)
    metrics = page.metrics()
    picture, words = halves()
    with picture:
        metric = first_metric(metrics)
        table = score_table(metrics, metric)
        # The figure of another page speaks its words.
        speaker = replace(page, t=Words(page.lang, "validation"))
        figure = dots_figure(speaker, table[table["column"] == "fused"], metric, headline_scheme(metrics))
        figure.update_xaxes(tickformat=".0%", rangemode="normal")
        figure.update_layout(showlegend=False)
        show(figure, key="tour_scores", height=FIGURE_HEIGHT)
    with words:
        say(*score_sentences(page, metrics))
        lower = honest_gap(metrics).difference > 0
        ask(page, page.t("score.question") if lower else page.t("score.question_agree"))
        page.link("validation", label=page.t("score.link"), view="scores")


def score_sentences(page: Page, metrics: dict) -> list[str]:
    """The third step in words."""
    gap = honest_gap(metrics)
    kind = "" if page.regression else "class_"
    values = {"scheme": scheme_label(page, gap.scheme), "honest": percent(gap.honest)}
    sentences = []
    if math.isfinite(gap.random) and gap.scheme != "random":
        sentences += [page.t(f"score.{kind}random", random=percent(gap.random)), page.t("score.why")]
    if math.isfinite(gap.interval[0]):
        values |= {"low": percent(gap.interval[0]), "high": percent(gap.interval[1])}
        sentences.append(page.t(f"score.{kind}honest", **values))
    else:
        sentences.append(page.t(f"score.{kind}honest_plain", **values))
    if math.isfinite(gap.random) and gap.scheme != "random" and not gap.noteworthy:
        sentences.append(page.t("score.agree"))
    if page.regression:
        sentences.append(page.t("score.error", error=with_unit(metrics["schemes"][gap.scheme]["fused"]["mae"], page.unit, 2)))
    return sentences


# ---- 4 ------------------------------------------------------------------------------------------------------------------


def pull_step(page: Page) -> None:
    """The pull to the middle, or the hardest class."""
    st.subheader(page.t("pull.title") if page.regression else page.t("pull.class_title"), anchor=False)
    if not page.regression:
        class_step(page)
        return
    facts = data.pull_facts(*place(page.run))
    picture, words = halves()
    with picture:
        curves = data.pull_curves(*place(page.run))
        if curves is not None:
            show(pull_figure(page, curves), key="tour_pull", height=FIGURE_HEIGHT)
    with words:
        say(
            ends_sentence(page, facts),
            page.t("pull.law") if facts.pulls else "",
            word_sentence(page, facts),
            page.t("pull.spread", ratio=percent(facts.sd_ratio)),
        )
        ask(page, page.t("pull.question"))
        page.link("fusion", label=page.t("pull.link"))


def ends_sentence(page: Page, facts: data.tour.PullFacts) -> str:
    """Errors at both ends."""
    if not facts.pulls:
        low, high = (with_unit(error, page.unit, 2) for error in (facts.low_error, facts.high_error))
        return page.t("pull.no_ends", low_error=low, high_error=high)
    return page.t(
        "pull.ends",
        high=with_unit(facts.high_observed, page.unit, 2),
        high_error=with_unit(-facts.high_error, page.unit, 2),
        low=with_unit(facts.low_observed, page.unit, 2),
        low_error=with_unit(facts.low_error, page.unit, 2),
    )


def word_sentence(page: Page, facts: data.tour.PullFacts) -> str:
    """How far a mapped value can be taken at its word; empty where too few sites say so."""
    if not math.isfinite(facts.word):
        return ""
    word = with_unit(facts.word, page.unit, 2)
    better = facts.word < BETTER * max(abs(facts.low_error), abs(facts.high_error))
    return page.t("pull.word", word=word) if better else page.t("pull.word_plain", word=word)


def class_step(page: Page) -> None:
    """The class that is found least often."""
    worst, part = data.hardest_class(*place(page.run))
    report = validation_data.class_report(*place(page.run), headline_scheme(page.metrics()), "fused")
    picture, words = halves()
    with picture:
        show(recall_figure(page, report.classes, report.recall, worst), key="tour_classes", height=FIGURE_HEIGHT)
    with words:
        say(page.t("pull.class_text", name=class_name(worst), part=percent(part)), page.t("pull.class_law"))
        page.link("validation", label=page.t("pull.class_link"), view="classes")


# ---- 5 ------------------------------------------------------------------------------------------------------------------


def sure_step(page: Page) -> None:
    """Ranges at three places."""
    st.subheader(page.t("sure.title"), anchor=False)
    covered = data.covered_sites(*place(page.run))
    places = tuple(one for one in data.example_places(*place(page.run)) if math.isfinite(one.lower))
    if covered is None or not places:
        say(page.t("sure.no_intervals") if page.regression else page.t("sure.no_intervals_class"))
        page.link("map", label=page.t("sure.link"))
        return
    picture, words = halves()
    with picture:
        show(places_figure(page, places), key="tour_places", height=FIGURE_HEIGHT)
    with words:
        outside = any(one.kind == "outside" for one in places)
        known = (page.run.folder / "applicability.json").is_file()
        say(
            page.t("sure.text", level=percent(page.options.uncertainty.level), covered=percent(covered)),
            page.t("sure.places"),
            "\n".join(f"- {place_text(page, one)}" for one in places),
            page.t("sure.outside_note") if outside else page.t("sure.no_outside") if known else "",
        )
        ask(page, page.t("sure.question"))
        page.link("map", label=page.t("sure.link"))


def place_text(page: Page, one: data.tour.Place) -> str:
    """A place with its value and range."""
    return page.t(
        "sure.place",
        name=page.t(f"sure.{one.kind}"),
        longitude=degrees(one.longitude, "E", "W"),
        latitude=degrees(one.latitude, "N", "S"),
        value=with_unit(one.value, page.unit, 2),
        range=interval_text(one.lower, one.upper, page.unit, 2),
    )


def degrees(value: float, positive: str, negative: str) -> str:
    """A coordinate as people write it.

    Examples
    --------
    >>> degrees(-90.256, "E", "W")
    '90.26°W'
    """
    return f"{abs(value):.2f}°{positive if value >= 0 else negative}"


# ---- 6 ------------------------------------------------------------------------------------------------------------------


def trust_step(page: Page) -> None:
    """Where the map extrapolates, and what to ask next."""
    st.subheader(page.t("trust.title"), anchor=False)
    facts = data.trust_facts(*place(page.run))
    known = math.isfinite(facts.outside)
    picture, words = halves()
    with picture:
        draw_trust(page, known)
    with words:
        if not known:
            sentence = page.t("trust.none")
        elif facts.outside == 0:
            sentence = page.t("trust.all_inside")
        else:
            sentence = page.t("trust.text", outside=percent(facts.outside))
        if facts.routed > 0:
            sentence += " " + page.t("trust.routed", routed=percent(facts.routed))
        asks = ("ask_place", "ask_range", "ask_sites", "ask_new")
        say(sentence, f"**{page.t('trust.ask_title')}**", "\n".join(f"- {page.t(f'trust.{name}')}" for name in asks))
        page.link("validation", label=page.t("trust.link"), view="threshold")
        page.link("report", label=page.t("trust.link_report"))


def draw_trust(page: Page, known: bool) -> None:
    """Inside and outside of the area of applicability over the relief."""
    layer = data.layer(*place(page.run), "uncertainty", "inside", True) if known else None
    if layer is None:
        thumbnail(page)
        return
    names = {1: page.t("trust.inside_label"), 0: page.t("trust.outside_label")}
    figure = category_map(page, layer, names, {1: COLOURS["inside"], 0: COLOURS["outside"]})
    show_map(page, figure, key="tour_trust")
