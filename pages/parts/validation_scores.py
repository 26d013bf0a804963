"""Scores of all schemes and learners side by side: a dot for the score, a line for its interval."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from alm_core.diagnostics.scores import headline_scheme, honest_gap, metric_names, score_table
from pages.parts.charts import COLOURS, SYMBOLS, axis_title, learner_colour, show
from pages.parts.columns import narrow_columns
from pages.parts.frame import Page, help_box, label, learner_label, metric_label, scheme_label
from pages.parts.numbers import fixed, interval_text, number, percent, unit_text, with_unit
from pages.parts.validation_choice import choose_segment

IN_UNIT = ("rmse", "mae", "mean_error", "mpiw")
OWN = ("mean_error", "picp", "mpiw", "balanced_accuracy", "f1_macro", "mcc")
"""Scores whose names stand in the words of this page."""
ROW_HEIGHT = 92
WRAP = 22


def score_name(page: Page, metric: str) -> str:
    """Display name of a score."""
    return page.t(f"score.{metric}") if metric in OWN else metric_label(page, metric)


def score_text(page: Page, metric: str, value: float) -> str:
    """A score as text, with its unit."""
    if metric == "mean_error":
        # Beside an error of some size a mean error of 0.00001 is none: fewer digits say so.
        rmse = max(scores["fused"]["rmse"] for scores in page.metrics()["schemes"].values())
        places = max(0, 2 - math.floor(math.log10(rmse))) if rmse > 0 else 3
        return f"{fixed(value, places)} {unit_text(page.unit)}".strip()
    if metric in IN_UNIT:
        return with_unit(value, page.unit, 3)
    return percent(value) if metric == "picp" else fixed(value)


def scores_view(page: Page, scheme: str, learner: str) -> None:
    """Tiles, sentence, figure and table of the scores."""
    metrics = page.metrics()
    headline_tiles(page, metrics)
    st.markdown(gap_sentence(page, metrics))
    st.subheader(page.t("scores.title"), anchor=False)
    names = metric_names(metrics)
    metric = choose_segment(page.t("scores.metric"), names, key="metric", names=lambda name: score_name(page, name))
    table = score_table(metrics, metric)
    figure = dots_figure(page, table, metric, headline_scheme(metrics))
    show(figure, key="scores_figure", height=120 + ROW_HEIGHT * table["scheme"].nunique())
    st.caption(foot_note(page, metrics, table))
    st.markdown(f"**{page.t('scores.table', learner=learner_label(page, learner))}**")
    st.dataframe(all_scores(page, metrics, learner), hide_index=True, width="stretch")
    show_gains(page, metrics, scheme)
    help_box(page, *(("r2", "rmse", "sd_ratio", "random", "block", "knndm", "group") if page.regression else ("kappa", "knndm")))


def headline_tiles(page: Page, metrics: dict) -> None:
    """What random folds print, what answers for the map, and the error or kappa that belongs to it."""
    gap = honest_gap(metrics)
    name = score_name(page, gap.metric)
    scores = metrics["schemes"][gap.scheme]["fused"]
    left, middle, right = narrow_columns("score-tiles").columns(3)
    left.metric(page.t("scores.random_tile", metric=name), fixed(gap.random))
    interval = interval_text(*gap.interval, digits=2) if np.isfinite(gap.interval[0]) else page.t("no_interval")
    middle.metric(
        page.t("scores.honest_tile", metric=name),
        fixed(gap.honest),
        help=page.t("scores.honest_help", scheme=scheme_label(page, gap.scheme), interval=interval),
    )
    if page.regression:
        right.metric(page.t("scores.error_tile"), score_text(page, "mae", scores["mae"]))
    else:
        right.metric(page.t("scores.accuracy_tile"), fixed(scores["kappa"]))


def gap_sentence(page: Page, metrics: dict) -> str:
    """What random folds alone would have printed, in words."""
    gap = honest_gap(metrics)
    name = score_name(page, gap.metric)
    values = {
        "scheme": scheme_label(page, gap.scheme),
        "honest": f"{name} {fixed(gap.honest)}",
        "random": f"{name} {fixed(gap.random)}",
    }
    if not np.isfinite(gap.random) or gap.scheme == "random":
        return page.t("scores.gap_none", **values)
    return page.t("scores.gap_large", **values) if gap.noteworthy else page.t("scores.gap_small", **values)


def dots_figure(page: Page, table: pd.DataFrame, metric: str, headline: str) -> go.Figure:
    """Dots with intervals: a row per scheme, a line per learner in it, the fusion large and last."""
    schemes = list(dict.fromkeys(table["scheme"]))
    columns = list(dict.fromkeys(table["column"]))
    figure = go.Figure()
    offsets = np.linspace(0.32, -0.32, len(columns)) if len(columns) > 1 else [0.0]
    for number_, (column, offset) in enumerate(zip(columns, offsets, strict=True)):
        rows = table[table["column"] == column]
        y = [len(schemes) - 1 - schemes.index(scheme) + offset for scheme in rows["scheme"]]
        figure.add_trace(dots(page, rows, y, column, metric, number_))
    row = len(schemes) - 1 - schemes.index(headline)
    figure.add_hrect(y0=row - 0.5, y1=row + 0.5, fillcolor=COLOURS["accent"], opacity=0.07, line_width=0, layer="below")
    ticks = [tick(page, scheme, scheme == headline) for scheme in schemes]
    figure.update_yaxes(
        tickvals=[len(schemes) - 1 - place for place in range(len(schemes))],
        ticktext=ticks,
        range=[-0.6, len(schemes) - 0.4],
        showgrid=False,
        ticks="",
    )
    figure.update_xaxes(title=axis_title(score_name(page, metric), page.unit if metric in IN_UNIT else ""))
    if metric == "picp":
        figure.update_xaxes(tickformat=".0%")
        level = page.options.uncertainty.level
        figure.add_vline(x=level, line={"color": COLOURS["reference"], "dash": "dash"})
    if metric in ("mean_error", "sd_ratio"):
        figure.add_vline(x=0 if metric == "mean_error" else 1, line={"color": COLOURS["reference"], "dash": "dash"})
    return figure


def tick(page: Page, scheme: str, is_headline: bool) -> str:
    """Name of a scheme, the headline marked, broken so that a narrow screen keeps room for the dots."""
    text = wrapped(scheme_label(page, scheme))
    return f"<b>{text}</b><br><span style='color:{COLOURS['accent']}'>{page.t('answers_tag')}</span>" if is_headline else text


def wrapped(text: str, width: int = WRAP) -> str:
    """Break a label between words; Chinese ones are short enough."""
    lines = [""]
    for word in text.split(" "):
        if lines[-1] and len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "<br>".join(lines)


def dots(page: Page, rows: pd.DataFrame, y: list[float], column: str, metric: str, place: int) -> go.Scatter:
    """One learner over all schemes."""
    fused = column == "fused"
    colour = learner_colour(page.learners, column) if column in (*page.learners, "fused") else COLOURS["muted"]
    texts = [hover_text(page, metric, *bounds) for bounds in zip(rows["value"], rows["low"], rows["high"], strict=True)]
    return go.Scatter(
        x=rows["value"],
        y=y,
        mode="markers",
        name=learner_label(page, column),
        customdata=texts,
        marker={
            "color": colour,
            "size": 13 if fused else 8,
            "symbol": "diamond" if fused else SYMBOLS[place % len(SYMBOLS)],
            "line": {"color": "#ffffff", "width": 1},
        },
        error_x={
            "type": "data",
            "symmetric": False,
            "array": (rows["high"] - rows["value"]).clip(lower=0),
            "arrayminus": (rows["value"] - rows["low"]).clip(lower=0),
            "color": colour,
            "thickness": 3 if fused else 1.4,
            "width": 0,
        },
        hovertemplate=f"{learner_label(page, column)}<br>%{{customdata}}<extra></extra>",
    )


def hover_text(page: Page, metric: str, value: float, low: float, high: float) -> str:
    """A score with its interval."""
    text = score_text(page, metric, value)
    unit = page.unit if metric in IN_UNIT else ""
    return f"{text} ({interval_text(low, high, unit)})" if np.isfinite(low) else text


def foot_note(page: Page, metrics: dict, table: pd.DataFrame) -> str:
    """How the scores and their intervals were made."""
    if table["low"].isna().all():
        return page.t("scores.interval_missing")
    groups = metrics["bootstrap_groups"]
    shown = page.t("site_groups") if groups == "none" else scheme_group(page, groups)
    return page.t("not_simulated_note", groups=shown)


def scheme_group(page: Page, groups: str) -> str:
    """What the bootstrap draws."""
    return {"survey": page.t("sites.survey"), "method": page.t("sites.method")}.get(groups, groups)


def all_scores(page: Page, metrics: dict, learner: str) -> pd.DataFrame:
    """Every score of one learner, a row per scheme."""
    rows = []
    for scheme, columns in metrics["schemes"].items():
        scores = columns.get(learner, {})
        row = {page.t("scores.table_scheme"): label(page, "scheme", scheme)}
        for name in metric_names(metrics):
            if name in scores:
                row[score_name(page, name)] = score_text(page, name, scores[name])
        rows.append(row)
    return pd.DataFrame(rows)


def show_gains(page: Page, metrics: dict, scheme: str) -> None:
    """How much better the fusion is than each learner, with the error of that."""
    gains = metrics.get("gain_over_learner", {}).get(scheme, {})
    if not gains:
        return
    parts = [
        page.t(
            "scores.gain_one",
            learner=learner_label(page, name),
            gain=number(gain["mean"], 2),
            error=number(gain["standard_error"], 2),
        )
        for name, gain in gains.items()
    ]
    with st.expander(page.t("scores.gain_title"), icon=":material/balance:"):
        st.markdown(page.t("scores.gain", scheme=scheme_label(page, scheme), gains="; ".join(parts)))
