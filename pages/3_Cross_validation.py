"""How good the map is: every validation scheme side by side, and which of them answers for the map."""

from __future__ import annotations

import streamlit as st

from alm_core.diagnostics.scores import headline_scheme
from alm_core.errors import AlmError
from pages.parts import validation_data as data
from pages.parts.columns import narrow_columns
from pages.parts.frame import Page, learner_label, open_page, scheme_label
from pages.parts.validation_choice import choose_item, choose_segment
from pages.parts.validation_classes import classes_view
from pages.parts.validation_distances import distances_view
from pages.parts.validation_learners import learners_view
from pages.parts.validation_pairs import pairs_view
from pages.parts.validation_scores import scores_view
from pages.parts.validation_spread import spread_view
from pages.parts.validation_threshold import threshold_view

NEEDS = ("metrics.json", "out_of_fold.parquet", "folds.json", "samples.parquet")


def choose(page: Page) -> tuple[str, str]:
    """The scheme and the prediction that the figures show."""
    metrics = page.metrics()
    schemes = list(metrics["schemes"])
    headline = headline_scheme(metrics)
    left, right = narrow_columns("choice-columns").columns(2)
    names = {name: scheme_name(page, name, headline) for name in schemes}
    scheme = choose_item(left, page.t("scheme"), schemes, first=headline, key="scheme", names=names.get)
    columns = data.columns(*data.place(page.run), scheme)
    ordered = ["fused", *(name for name in columns if name != "fused")]
    names = {name: learner_label(page, name) for name in ordered}
    learner = choose_item(right, page.t("learner"), ordered, first="fused", key="learner", names=names.get)
    return scheme, learner


def scheme_name(page: Page, name: str, headline: str) -> str:
    """A scheme with the mark of the one that answers for the map."""
    return f"{scheme_label(page, name)} · {page.t('answers_tag')}" if name == headline else scheme_label(page, name)


def choose_view(page: Page) -> str:
    """The part of the page that is shown: one at a time, so that a moved widget redraws little."""
    views = ["scores", "distances", "sites", "spread" if page.regression else "classes", "threshold"]
    if page.run.comparison() is not None:
        views.insert(1, "learners")
    names = {name: page.t(f"views.{name}") for name in views}
    return choose_segment(page.t("view"), views, key="view", names=names.get, label_visibility="collapsed")


def draw(page: Page, view: str, scheme: str, learner: str) -> None:
    """Draw the chosen part."""
    if view == "scores":
        scores_view(page, scheme, learner)
    elif view == "learners":
        learners_view(page, scheme)
    elif view == "distances":
        distances_view(page, scheme)
    elif view == "sites":
        pairs_view(page, scheme, learner)
    elif view == "spread":
        spread_view(page, scheme, learner)
    elif view == "classes":
        classes_view(page, scheme, learner)
    else:
        threshold_view(page, scheme, learner)


page = open_page("validation", needs=NEEDS)
try:
    chosen_scheme, chosen_learner = choose(page)
    draw(page, choose_view(page), chosen_scheme, chosen_learner)
except AlmError as fault:
    st.error(str(fault))
