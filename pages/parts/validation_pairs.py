"""Site by site: observed against predicted beside the map of the errors; sites picked in one light up in the other."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from alm_core.diagnostics.classes import class_name
from alm_core.learning.metrics import regression_scores
from pages.parts import validation_data as data
from pages.parts.charts import CATEGORY_COLOURS, COLOURS, axis_title, show
from pages.parts.columns import narrow_columns
from pages.parts.frame import Page, help_box, learner_label, scheme_label
from pages.parts.numbers import fixed, interval_text, with_unit
from pages.parts.site_map import Colouring, escape, fade_others, picked_sites, site_map

FIGURE_HEIGHT = 430
TABLE_HEIGHT = 260
CHART, MAP = "pairs_chart", "residual_map"
LIMIT_QUANTILE = 0.98
"""Of the size of the errors: the ends of the colour bar, so that one bad site does not pale all others."""


@st.fragment
def pairs_view(page: Page, scheme: str, learner: str) -> None:
    """Both figures and the table; a fragment, so that picking sites redraws nothing else."""
    pairs = data.site_pairs(*data.place(page.run), scheme, learner)
    # A pick belongs to the figures of one scheme and learner: others get figures of their own.
    place = f"{scheme}-{list(page.metrics()['schemes'][scheme]).index(learner)}-{st.session_state.get('pick_round', 0)}"
    chart_key, map_key = f"{CHART}-{place}", f"{MAP}-{place}"
    picked = tuple(dict.fromkeys((*picked_sites(st.session_state.get(chart_key)), *picked_sites(st.session_state.get(map_key)))))
    st.markdown(hint(page, pairs, scheme, learner))
    if page.regression:
        left, right = narrow_columns("pair-columns").columns([2, 3])
        with left:
            st.subheader(page.t("sites.title"), anchor=False)
            show(
                scatter_figure(
                    page, pairs, picked, all_intervals="lower" in pairs and st.session_state.get("all_intervals", False)
                ),
                key=chart_key,
                height=FIGURE_HEIGHT,
                on_select="rerun",
            )
        with right:
            st.subheader(page.t("sites.map_title"), anchor=False)
            error_map(page, pairs, picked, map_key)
        if "lower" in pairs:
            st.checkbox(page.t("sites.all_intervals"), key="all_intervals")
    else:
        st.subheader(page.t("sites.class_map_title"), anchor=False)
        error_map(page, pairs, picked, map_key)
    show_picked(page, pairs, picked)
    st.dataframe(table(page, pairs, picked), hide_index=True, height=TABLE_HEIGHT, width="stretch")
    help_box(page, *(("rmse", "interval", "bias_curves") if page.regression else ("kappa",)))


def hint(page: Page, pairs: pd.DataFrame, scheme: str, learner: str) -> str:
    """The scores of what is drawn, and how sites are picked."""
    names = {"learner": learner_label(page, learner), "scheme": scheme_label(page, scheme), "count": len(pairs)}
    if not page.regression:
        return page.t("sites.class_hint", right=int(pairs["correct"].sum()), **names)
    scores = regression_scores(pairs["observed"].to_numpy(), pairs["predicted"].to_numpy())
    return page.t(
        "sites.hint",
        r2=fixed(scores["r2"]),
        rmse=with_unit(scores["rmse"], page.unit, 3),
        bias=with_unit(scores["mean_error"], page.unit, 2),
        **names,
    )


def scatter_figure(page: Page, pairs: pd.DataFrame, picked: tuple[str, ...], *, all_intervals: bool) -> go.Figure:
    """Observed against predicted around the 1:1 line; intervals of the picked sites, or of all."""
    low = float(np.nanmin(pairs[["observed", "predicted"]].to_numpy()))
    high = float(np.nanmax(pairs[["observed", "predicted"]].to_numpy()))
    pad = 0.04 * (high - low or 1.0)
    ends = [low - pad, high + pad]
    figure = go.Figure()
    line = {"color": COLOURS["reference"], "dash": "dash"}
    figure.add_scatter(x=ends, y=ends, mode="lines", name=page.t("sites.line"), line=line, hoverinfo="skip")
    barred = pairs if all_intervals else pairs[pairs["site_id"].isin(picked)]
    if "lower" in pairs and len(barred):
        figure.add_trace(interval_bars(page, barred))
    for place, (name, part) in enumerate(by_method(page, pairs)):
        figure.add_scatter(
            x=part["observed"],
            y=part["predicted"],
            mode="markers",
            name=escape(name),
            marker={"size": 7, "color": CATEGORY_COLOURS[place % len(CATEGORY_COLOURS)], "opacity": 0.75},
            customdata=part[["site_id"]].astype(str).to_numpy(),
            hovertext=hover_texts(page, part),
            hoverinfo="text",
        )
    fade_others(figure, picked)
    figure.update_xaxes(title=axis_title(page.t("sites.observed"), page.unit), range=ends)
    figure.update_yaxes(title=axis_title(page.t("sites.predicted"), page.unit), range=ends, scaleanchor="x", constrain="domain")
    figure.update_xaxes(constrain="domain")
    figure.update_layout(dragmode="select")
    return figure


def interval_bars(page: Page, barred: pd.DataFrame) -> go.Scatter:
    """Vertical lines from the lower to the upper bound."""
    gaps = np.full(len(barred), np.nan)
    x = np.column_stack([barred["observed"], barred["observed"], gaps]).ravel()
    y = np.column_stack([barred["lower"], barred["upper"], gaps]).ravel()
    line = {"color": COLOURS["accent"], "width": 1}
    return go.Scatter(x=x, y=y, mode="lines", name=page.t("sites.interval"), line=line, opacity=0.45, hoverinfo="skip")


def by_method(page: Page, pairs: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Sites by their measuring method where the table names any."""
    if "method" not in pairs or pairs["method"].isna().all():
        return [(page.c("sites"), pairs)]
    labels = pairs["method"].astype("string").fillna("–")
    return [(str(name).replace("_", " "), part) for name, part in pairs.groupby(labels, sort=True)]


def hover_texts(page: Page, part: pd.DataFrame) -> list[str]:
    """What the mouse shows of a site: both values, error, interval, fold."""
    texts = []
    for row in part.itertuples():
        lines = [
            f"<b>{escape(str(row.site_id))}</b>",
            f"{page.t('sites.observed')}: {with_unit(row.observed, page.unit)}",
            f"{page.t('sites.predicted')}: {with_unit(row.predicted, page.unit)}",
            f"{page.t('sites.residual')}: {with_unit(row.residual, page.unit)}",
        ]
        if "lower" in part:
            lines.append(f"{page.t('sites.interval')}: {interval_text(row.lower, row.upper, page.unit)}")
        lines.append(f"{page.t('sites.fold')}: {row.fold + 1}")
        texts.append("<br>".join(lines))
    return texts


def error_map(page: Page, pairs: pd.DataFrame, picked: tuple[str, ...], key: str) -> None:
    """Errors on the map: brown where the map is too low, blue-green where it is too high; or right and wrong classes."""
    frame = pairs.copy()
    hover = {"observed": (page.t("sites.observed"), page.unit), "predicted": (page.t("sites.predicted"), page.unit)}
    if page.regression:
        limit = float(np.nanquantile(np.abs(frame["residual"]), LIMIT_QUANTILE)) or None
        colour = Colouring("residual", page.t("sites.residual"), page.unit, kind="diverging", limit=limit)
    else:
        frame["correct"] = np.where(frame["correct"], "right", "wrong")
        frame[["observed", "predicted"]] = frame[["observed", "predicted"]].map(class_name)
        colour = Colouring(
            "correct",
            page.t("sites.title"),
            kind="category",
            names={"right": page.t("sites.correct"), "wrong": page.t("sites.wrong")},
            colours={"right": COLOURS["inside"], "wrong": COLOURS["outside"]},
        )
    if "survey" in frame and frame["survey"].notna().any():
        hover["survey"] = (page.t("sites.survey"), "")
    site_map(page, page.run, frame, colour=colour, hover=hover, selected=picked, key=key)


def show_picked(page: Page, pairs: pd.DataFrame, picked: tuple[str, ...]) -> None:
    """Scores of the picked sites, and a way back; without a pick, how to pick."""
    chosen = pairs[pairs["site_id"].isin(picked)]
    left, right = st.columns([5, 1], vertical_alignment="center")
    if chosen.empty:
        left.caption(page.t("sites.pick"))
        return
    if page.regression:
        rmse = float(np.sqrt(np.mean(chosen["residual"] ** 2)))
        bias = with_unit(float(chosen["residual"].mean()), page.unit, 2)
        left.markdown(page.t("sites.picked", count=len(chosen), bias=bias, rmse=with_unit(rmse, page.unit, 3)))
    else:
        left.markdown(page.t("sites_count", sites=len(chosen)))
    right.button(page.t("sites.clear"), on_click=forget_picks, width="stretch")


def forget_picks() -> None:
    """New figures have nothing picked."""
    st.session_state["pick_round"] = st.session_state.get("pick_round", 0) + 1


def table(page: Page, pairs: pd.DataFrame, picked: tuple[str, ...]) -> pd.DataFrame:
    """The picked sites, or all, those with the largest errors first."""
    chosen = pairs[pairs["site_id"].isin(picked)] if picked else pairs
    order = chosen["residual"].abs() if page.regression else chosen["correct"].astype(int) * -1
    chosen = chosen.loc[order.sort_values(ascending=False, kind="stable").index]
    shown = {
        "site_id": page.t("sites.site"),
        "observed": axis_title(page.t("sites.observed"), page.unit),
        "predicted": axis_title(page.t("sites.predicted"), page.unit),
        "residual": axis_title(page.t("sites.residual"), page.unit),
        "fold": page.t("sites.fold"),
        "method": page.t("sites.method"),
        "survey": page.t("sites.survey"),
    }
    found = chosen[[name for name in shown if name in chosen]].dropna(axis="columns", how="all").copy()
    found["fold"] += 1
    for name in ("observed", "predicted", "residual"):
        if page.regression and name in found:
            found[name] = found[name].round(4)
        elif name in found:
            found[name] = found[name].map(class_name)
    return found.rename(columns=shown)
