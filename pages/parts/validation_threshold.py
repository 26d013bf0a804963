"""The edge of the area of applicability: how it came about, whether errors grow towards it, and what another one would leave."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from alm_core.diagnostics.threshold import ThresholdStudy
from pages.parts import validation_data as data
from pages.parts.charts import COLOURS, axis_title, show
from pages.parts.columns import narrow_columns
from pages.parts.frame import Page, help_box
from pages.parts.numbers import number, percent, with_unit
from pages.parts.site_map import escape
from pages.parts.validation_choice import choose_number

FIGURE_HEIGHT, TRADE_OFF_HEIGHT = 380, 340
BINS = 30
SLIDER_STEPS = 100
RISE = 1.1
"""Expected error at the far end over that at the near end from which the error is said to grow."""


def threshold_view(page: Page, scheme: str, learner: str) -> None:
    """Sentence, histogram, errors, and the what-if."""
    st.subheader(page.t("threshold.title"), anchor=False)
    study = data.threshold_study(*data.place(page.run), scheme, learner)
    if study is None:
        st.info(page.t("threshold.none"), icon=":material/info:")
        return
    outside = percent(1 - study.map.inside(study.threshold))
    st.markdown(page.t("threshold.lead", threshold=number(study.threshold), outside=outside))
    left, right = narrow_columns("threshold-columns").columns(2)
    with left:
        st.markdown(f"**{page.t('threshold.histogram_title')}**")
        show(histogram_figure(page, study), key="di_histogram", height=FIGURE_HEIGHT)
    with right:
        st.markdown(f"**{page.t('threshold.error_title')}**")
        show(error_figure(page, study), key="di_error", height=FIGURE_HEIGHT)
    if study.profile is not None and study.regression:
        ends = study.profile.curve.y[[0, -1]]
        if ends[1] < RISE * ends[0]:
            st.caption(page.t("threshold.flat"))
    what_if(page, scheme, learner)
    help_box(page, "aoa", "di", "lpd")


def edge(figure: go.Figure, page: Page, threshold: float, *, colour: str = COLOURS["warning"], text: str | None = None) -> None:
    """Mark a threshold."""
    figure.add_vline(
        x=threshold,
        line={"color": colour, "width": 2, "dash": "dash"},
        annotation={"text": text or f"{page.t('threshold.edge')} {number(threshold)}", "font": {"size": 12, "color": colour}},
        annotation_position="top",
    )


def histogram_figure(page: Page, study: ThresholdStudy) -> go.Figure:
    """Training dissimilarity of the sites with the threshold."""
    values = study.training_dissimilarity
    counts, edges = np.histogram(values, bins=BINS)
    middle = (edges[:-1] + edges[1:]) / 2
    colours = [COLOURS["inside"] if value <= study.threshold else COLOURS["outside"] for value in middle]
    figure = go.Figure(
        go.Bar(
            x=middle,
            y=counts,
            width=np.diff(edges),
            marker={"color": colours, "line": {"color": "#ffffff", "width": 1}},
            hovertemplate=f"{page.t('threshold.histogram_axis')} %{{x:.3f}}: %{{y}}<extra></extra>",
        )
    )
    edge(figure, page, study.threshold)
    figure.update_xaxes(title=page.t("threshold.histogram_axis"), rangemode="tozero")
    figure.update_yaxes(title=page.t("threshold.histogram_count"))
    figure.update_layout(bargap=0, showlegend=False, margin={"t": 40})
    return figure


def error_figure(page: Page, study: ThresholdStudy) -> go.Figure:
    """Absolute error against dissimilarity, its mean, and the never-falling expected RMSE."""
    figure = go.Figure()
    figure.add_scatter(
        x=study.dissimilarity,
        y=np.abs(study.error),
        mode="markers",
        name=page.t("threshold.error_points"),
        marker={"color": COLOURS["reference"], "size": 6, "opacity": 0.6},
        text=[escape(str(site)) for site in study.site_ids],
        hovertemplate="<b>%{text}</b><br>DI %{x:.3f}<br>%{y:.3f}<extra></extra>",
    )
    if study.smooth is not None:
        curve = study.smooth
        band = np.concatenate([curve.mean + 1.96 * curve.standard_error, (curve.mean - 1.96 * curve.standard_error)[::-1]])
        figure.add_scatter(
            x=np.concatenate([curve.grid, curve.grid[::-1]]),
            y=np.maximum(band, 0),
            fill="toself",
            mode="lines",
            line={"width": 0},
            fillcolor="rgba(31,111,139,0.15)",
            hoverinfo="skip",
            showlegend=False,
        )
        line = {"color": COLOURS["fused"], "width": 3}
        figure.add_scatter(x=curve.grid, y=curve.mean, mode="lines", name=page.t("threshold.error_smooth"), line=line)
    if study.profile is not None and study.regression:
        line = {"color": COLOURS["warning"], "width": 2, "dash": "dot"}
        knots = study.profile.curve
        figure.add_scatter(x=knots.x, y=knots.y, mode="lines", name=page.t("threshold.error_profile"), line=line)
    edge(figure, page, study.threshold, text=" ")
    title = axis_title(page.t("threshold.error_axis"), page.unit) if study.regression else page.t("threshold.error_class_axis")
    figure.update_xaxes(title=page.t("threshold.histogram_axis"), rangemode="tozero")
    figure.update_yaxes(title=title, rangemode="tozero")
    return figure


@st.fragment
def what_if(page: Page, scheme: str, learner: str) -> None:
    """Another edge: what it leaves of map and sites; only this part is drawn again when the slider moves."""
    place = data.place(page.run)
    study = data.threshold_study(*place, scheme, learner)
    st.subheader(page.t("threshold.tradeoff_title"), anchor=False)
    step = round_step(study.largest / SLIDER_STEPS)
    chosen = choose_number(
        page.t("threshold.slider"),
        low=0.0,
        high=float(np.ceil(study.largest / step) * step),
        step=step,
        first=float(round(study.threshold / step) * step),
        decimals=decimals(step),
        key="edge",
    )
    # The slider has steps; its step nearest to the fitted edge stands for the edge itself.
    threshold = study.threshold if abs(chosen - study.threshold) <= step / 2 else chosen
    found = study.at(threshold)
    columns = narrow_columns("threshold-tiles", per_row=2).columns(4)
    columns[0].metric(page.t("threshold.map_inside"), percent(found.map_inside, 1))
    inside = page.t("threshold.sites_inside_value", inside=found.sites_inside, sites=found.sites)
    columns[1].metric(page.t("threshold.sites_inside"), inside)
    for column, name in zip(columns[2:], ("error_inside", "error_outside"), strict=True):
        value = getattr(found, name)
        text = with_unit(value, page.unit, 3) if study.regression else percent(value)
        column.metric(page.t(f"threshold.{name}"), text, help=page.t("threshold.error_help"))
    trade_off = data.trade_off(*place, scheme, learner)
    show(trade_off_figure(page, study, trade_off, threshold), key="trade_off", height=TRADE_OFF_HEIGHT)
    if not study.map.exact:
        st.caption(page.t("threshold.rough"))


def round_step(step: float) -> float:
    """1, 2 or 5 times a power of ten, not below `step`.

    Examples
    --------
    >>> round_step(0.013), round_step(0.0051)
    (0.02, 0.01)
    """
    size = 10.0 ** np.floor(np.log10(step))
    return float(round(next(size * nice for nice in (1, 2, 5, 10) if size * nice >= step * (1 - 1e-9)), 12))


def decimals(step: float) -> int:
    """Digits behind the point that a step needs."""
    return max(0, int(-np.floor(np.log10(step) + 1e-9)))


def trade_off_figure(page: Page, study: ThresholdStudy, table: pd.DataFrame, threshold: float) -> go.Figure:
    """Part of the map inside and error of the sites inside, against the edge."""
    figure = go.Figure()
    figure.add_scatter(
        x=table["threshold"],
        y=table["map_inside"],
        name=page.t("threshold.tradeoff_map"),
        mode="lines",
        line={"color": COLOURS["inside"], "width": 3},
        hovertemplate="DI %{x:.3f}: %{y:.1%}<extra></extra>",
    )
    figure.add_scatter(
        x=table["threshold"],
        y=table["error_inside"],
        name=page.t("threshold.tradeoff_error"),
        mode="lines",
        yaxis="y2",
        line={"color": COLOURS["warning"], "width": 3, "dash": "dot"},
        hovertemplate="DI %{x:.3f}: %{y:.3f}<extra></extra>",
    )
    figure.add_vline(x=study.threshold, line={"color": COLOURS["reference"], "dash": "dash"})
    figure.add_vline(x=threshold, line={"color": COLOURS["text"], "width": 2})
    figure.update_xaxes(title=page.t("threshold.histogram_axis"))
    figure.update_yaxes(title=page.t("threshold.tradeoff_axis_map"), tickformat=".0%", range=[0, 1.03])
    name = axis_title(page.t("threshold.tradeoff_error"), page.unit) if study.regression else page.t("threshold.tradeoff_error")
    figure.update_layout(
        yaxis2={
            "title": {"text": name},
            "overlaying": "y",
            "side": "right",
            "rangemode": "tozero",
            "showgrid": False,
            "tickmode": "auto",
            "nticks": 6,
        },
        margin={"r": 64},
    )
    return figure
