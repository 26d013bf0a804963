"""The covariates: how they were chosen, how stable that is, what each does, and a set of one's own."""

from __future__ import annotations

import streamlit as st

from alm_core.errors import AlmError
from alm_core.inspection.feature_set import chosen_set
from pages.parts.columns import narrow_columns
from pages.parts.features_data import covariate_names, load_correlations, load_selection
from pages.parts.features_elimination import draw_correlations, draw_elimination, draw_stability, shown
from pages.parts.features_set import draw_set
from pages.parts.features_shap import draw_shap
from pages.parts.frame import Page, open_page
from pages.parts.numbers import fixed
from pages.parts.plain_text import plain_text

VIEWS = ("elimination", "stability", "correlation", "shap", "set")


def draw_summary(page: Page) -> None:
    """How many covariates there are and which were chosen."""
    offered, chosen = covariate_names(page.run), chosen_set(page.run)
    selection = load_selection(str(page.run.folder))
    with narrow_columns("features-counts", per_row=2):
        columns = st.columns(4)
    columns[0].metric(page.t("count.offered"), len(offered))
    columns[1].metric(page.t("count.chosen"), len(chosen))
    if selection is not None:
        row = selection.path[selection.path["chosen"]].iloc[0]
        columns[2].metric(page.t("count.score"), fixed(row["score"]), help=page.t("count.score_help"))
        columns[3].metric(page.t("count.stability"), fixed(selection.stability["jaccard"]), help=page.t("stability.jaccard_help"))
    badges = [f":{'blue' if name in chosen else 'gray'}-badge[{plain_text(shown(name))}]" for name in offered]
    st.markdown(" ".join(badges))


def draw_view(page: Page, view: str) -> None:
    """One view; those of the selection explain themselves where it was off."""
    selection = load_selection(str(page.run.folder))
    if view in ("elimination", "stability") and selection is None:
        st.info(page.t("empty.selection"), icon=":material/info:")
    elif view == "elimination":
        draw_elimination(page, selection)
    elif view == "stability":
        draw_stability(page, selection)
    elif view == "correlation":
        draw_correlations(page, load_correlations(str(page.run.folder)), chosen_set(page.run))
    elif view == "shap":
        draw_shap(page)
    else:
        draw_set(page)


page = open_page("features", needs=("selection.json", "samples.parquet", "covariates/stack.json"))
try:
    draw_summary(page)
    chosen_view = st.segmented_control(
        page.t("view_label"),
        VIEWS,
        default=VIEWS[0],
        required=True,
        format_func=lambda name: page.t(f"tab.{name}"),
        key="features.tab",
        label_visibility="collapsed",
        width="stretch",
    )
    draw_view(page, chosen_view)
except AlmError as fault:
    st.error(plain_text(str(fault)))
