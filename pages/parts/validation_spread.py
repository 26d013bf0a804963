"""Taylor diagram, scores fold by fold, and whether the intervals keep their promise."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from alm_core.diagnostics.taylor import TaylorPoint, error_arc
from pages.parts import validation_data as data
from pages.parts.charts import COLOURS, SYMBOLS, learner_colour, show
from pages.parts.columns import narrow_columns
from pages.parts.frame import Page, help_box, learner_label
from pages.parts.numbers import fixed, percent, with_unit
from pages.parts.site_map import escape

TAYLOR_HEIGHT, FOLD_HEIGHT, COVERAGE_HEIGHT = 460, 460, 330
CORRELATIONS = (0.0, 0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
ARCS = (0.25, 0.5, 0.75, 1.0)
THIRDS = ("third_low", "third_middle", "third_high")


def spread_view(page: Page, scheme: str, learner: str) -> None:
    """Diagram and folds side by side, coverage below."""
    left, right = narrow_columns("spread-columns").columns(2)
    with left:
        st.subheader(page.t("spread.taylor_title"), anchor=False)
        points = data.taylor_points(*data.place(page.run), scheme)
        show(taylor_figure(page, points), key="taylor", height=TAYLOR_HEIGHT)
        st.caption(page.t("spread.taylor_text"))
    with right:
        st.subheader(page.t("spread.folds_title"), anchor=False)
        folds = data.fold_scores(*data.place(page.run), scheme, learner)
        pooled = page.metrics()["schemes"][scheme][learner]
        by_group = scheme in ("survey", "method")
        show(folds_figure(page, folds, pooled, by_group, learner), key="folds", height=FOLD_HEIGHT)
        st.caption(page.t("spread.folds_text"))
    coverage_part(page, scheme)
    help_box(page, "taylor", "sd_ratio", "coverage", "interval")


def taylor_figure(page: Page, points: tuple[TaylorPoint, ...]) -> go.Figure:
    """Radius: spread ratio; angle: arc cosine of the correlation; arcs around the star: centred error."""
    limit = max(1.25, 1.1 * max((point.sd_ratio for point in points), default=1.0))
    half = all(point.correlation >= 0 for point in points)
    figure = go.Figure()
    turn = np.linspace(0, 90 if half else 180, 91)
    figure.add_trace(line(np.ones_like(turn), turn, COLOURS["observed"], "dash", width=1.6))
    for radius in ARCS:
        distance, angle = error_arc(radius, limit=limit)
        figure.add_trace(line(distance, angle, "#c9a48c", "dot", name=page.t("spread.taylor_arc", value=f"{radius:g}")))
    figure.add_scatterpolar(
        r=[1],
        theta=[0],
        mode="markers",
        name=page.t("spread.taylor_reference"),
        marker={"symbol": "star", "size": 17, "color": COLOURS["observed"]},
        cliponaxis=False,
        hovertemplate="%{fullData.name}<extra></extra>",
    )
    # The fusion last, so that no member hides it.
    for place, point in sorted(enumerate(points), key=lambda pair: pair[1].name == "fused"):
        figure.add_trace(taylor_marker(page, point, place))
    shown = [value for value in CORRELATIONS if value >= 0]
    if not half:
        shown = [-value for value in reversed(shown[1:])] + shown
    axis = {"gridcolor": COLOURS["grid"], "linecolor": COLOURS["reference"], "ticks": "outside"}
    figure.update_polars(
        sector=[0, 90 if half else 180],
        radialaxis={**axis, "range": [0, limit], "angle": 0, "tickangle": 0, "title": {"text": page.t("spread.taylor_sd")}},
        angularaxis={
            **axis,
            "tickvals": np.degrees(np.arccos(shown)),
            "ticktext": [f"{value:g}" for value in shown],
            "direction": "counterclockwise",
        },
        bgcolor="#ffffff",
        domain={"x": [0.03, 0.95], "y": [0.06, 0.97]},
    )
    figure.add_annotation(
        text=page.t("spread.taylor_correlation"), x=0.86, y=0.86, xref="paper", yref="paper", showarrow=False, textangle=45,
        font={"color": COLOURS["muted"]},
    )  # fmt: skip
    figure.update_layout(margin={"l": 30, "r": 30, "t": 56, "b": 36}, legend={"y": 1.04})
    return figure


def line(r: np.ndarray, theta: np.ndarray, colour: str, dash: str, *, width: float = 1, name: str = "") -> go.Scatterpolar:
    """An arc that only guides the eye."""
    return go.Scatterpolar(
        r=r,
        theta=theta,
        mode="lines",
        line={"color": colour, "dash": dash, "width": width},
        name=name,
        hoverinfo="name" if name else "skip",
        hoverlabel={"namelength": -1},
        showlegend=False,
    )


def taylor_marker(page: Page, point: TaylorPoint, place: int) -> go.Scatterpolar:
    """One prediction."""
    fused = point.name == "fused"
    text = page.t(
        "spread.taylor_hover",
        sd=fixed(point.sd_ratio),
        r=fixed(point.correlation),
        e=fixed(point.centred_rmse),
        bias=with_unit(point.mean_error, page.unit, 2),
    )
    known = point.name in (*page.learners, "fused")
    return go.Scatterpolar(
        r=[point.sd_ratio],
        theta=[point.angle_degrees],
        mode="markers",
        name=learner_label(page, point.name),
        marker={
            "size": 15 if fused else 11,
            "symbol": "diamond" if fused else SYMBOLS[place % len(SYMBOLS)],
            "color": learner_colour(page.learners, point.name) if known else COLOURS["muted"],
            "line": {"color": "#ffffff", "width": 1},
        },
        hovertemplate=f"<b>{learner_label(page, point.name)}</b><br>{text}<extra></extra>",
    )


def folds_figure(page: Page, folds: pd.DataFrame, pooled: dict, by_group: bool, learner: str) -> go.Figure:
    """First score of every fold as a bar, the pooled one as a line."""
    metric = "r2" if "r2" in folds else "overall_accuracy"
    texts = [fold_hover(page, row) for row in folds.to_dict("records")]
    repeats = folds["repeat"].nunique() > 1
    labels = [
        escape(row.label if not repeats else f"{row.repeat + 1}·{row.label}").replace("_", " ") for row in folds.itertuples()
    ]
    figure = go.Figure(
        go.Bar(
            x=labels,
            y=folds[metric],
            marker={"color": learner_colour(page.learners, learner), "opacity": 0.75},
            customdata=texts,
            hovertemplate="%{x}<br>%{customdata}<extra></extra>",
            text=[fixed(value) for value in folds[metric]] if len(folds) <= 10 else None,
            textposition="inside",
            insidetextanchor="start",
            showlegend=False,
        )
    )
    figure.add_hline(
        y=pooled[metric],
        line={"color": COLOURS["observed"], "dash": "dash"},
        name=f"{page.t('spread.pooled')} {fixed(pooled[metric])}",
        showlegend=True,
    )
    low = float(folds[metric].min())
    figure.update_yaxes(
        title="R²" if metric == "r2" else page.c("metric.overall_accuracy"), range=[min(0, max(low, -1)) * 1.1, 1.05]
    )
    figure.update_xaxes(title=page.t("spread.folds_group_axis") if by_group else page.t("spread.folds_axis"), type="category")
    return figure


def fold_hover(page: Page, row: dict) -> str:
    """Sites and errors of a fold."""
    lines = [page.t("sites_count", sites=row["sites"])]
    if "rmse" in row:
        lines += [
            f"R² {fixed(row['r2'])}",
            f"RMSE {with_unit(row['rmse'], page.unit)}",
            f"{page.t('score.mean_error')} {with_unit(row['mean_error'], page.unit, 2)}",
        ]
    return "<br>".join(lines)


def coverage_part(page: Page, scheme: str) -> None:
    """Coverage of the intervals against what was promised."""
    st.subheader(page.t("spread.coverage_title"), anchor=False)
    table = data.coverage_table(*data.place(page.run), scheme)
    if table is None:
        st.info(page.t("spread.no_intervals"), icon=":material/info:")
        return
    level = page.options.uncertainty.level
    everything = float(table.loc[table["by"] == "all", "coverage"].iloc[0])
    st.markdown(page.t("spread.coverage_text", level=percent(level), coverage=percent(everything)))
    show(coverage_figure(page, table, level), key="coverage", height=COVERAGE_HEIGHT)


def coverage_figure(page: Page, table: pd.DataFrame, level: float) -> go.Figure:
    """Coverage in thirds of the observed and of the predicted value, the promise as a line."""
    figure = go.Figure()
    for by, colour in (("observed", COLOURS["observed"]), ("predicted", COLOURS["fused"])):
        part = table[table["by"] == by]
        figure.add_bar(
            x=[page.t(f"spread.{THIRDS[third]}") for third in part["third"]],
            y=part["coverage"],
            name=page.t(f"spread.coverage_by_{by}"),
            marker={"color": colour, "opacity": 0.8},
            text=[percent(value) for value in part["coverage"]],
            textposition="inside",
            insidetextanchor="end",
            customdata=[page.t("sites_count", sites=count) for count in part["sites"]],
            hovertemplate="%{text}, %{customdata}<extra></extra>",
        )
    figure.add_hline(
        y=level,
        line={"color": COLOURS["warning"], "dash": "dash"},
        annotation={"text": f"{page.t('spread.promised')} {percent(level)}", "font": {"size": 12, "color": COLOURS["warning"]}},
        annotation_position="top right",
    )
    figure.update_yaxes(title=page.t("spread.coverage_axis"), tickformat=".0%", range=[0, 1.12], tickvals=[0, 0.25, 0.5, 0.75, 1])
    figure.update_layout(barmode="group", bargap=0.35)
    return figure
