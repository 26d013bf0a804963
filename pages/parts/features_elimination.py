"""How the covariates were eliminated, how stable the choice is, and which covariates say the same."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from alm_core.inspection.selection_summary import FUSED, Correlations, choice_stability, elimination_paths, path_steps
from alm_core.learning.selection import Selection
from alm_core.palettes import colours
from pages.parts.charts import COLOURS, learner_colour, show
from pages.parts.columns import narrow_columns
from pages.parts.frame import Page, help_box, label, learner_label, scheme_label
from pages.parts.numbers import fixed, percent
from pages.parts.plain_text import plain_text

PATH_HEIGHT = 430
ROW_PIXELS = 24
BAND_OPACITY = 0.13


def shown(name: str) -> str:
    """A covariate as people read it."""
    return name.replace("_", " ")


def names_text(names: tuple[str, ...] | list[str]) -> str:
    """Several covariates as people read them."""
    return ", ".join(shown(name) for name in names)


# ---- the path ---------------------------------------------------------------------------------------------------------------


def draw_elimination(page: Page, selection: Selection) -> None:
    """The path with its error bands and the chosen size, and what left at each step."""
    help_box(page, "elimination", "nested")
    learners = list(dict.fromkeys(selection.learner_paths["learner"]))
    picked = st.pills(
        page.t("path.lines"),
        [FUSED, *learners],
        selection_mode="multi",
        default=[FUSED, *learners],
        format_func=lambda name: page.t("path.mean") if name == FUSED else plain_text(learner_label(page, name)),
        key="features.lines",
        label_visibility="collapsed",
    )
    show(path_figure(page, selection, picked), key="features.path", height=PATH_HEIGHT, alt=page.t("path.alt"))
    strongest = learner_label(page, selection.strongest_learner)
    st.caption(page.t("path.note", strongest=plain_text(strongest), metric=metric_text(page, selection)))
    st.markdown(f"**{page.t('path.steps')}**")
    st.dataframe(
        steps_table(page, selection), hide_index=True, key="features.steps", column_config=step_settings(page, selection)
    )


def path_figure(page: Page, selection: Selection, picked: list[str]) -> go.Figure:
    """Score against the number of covariates, most of them on the left."""
    paths = elimination_paths(selection)
    figure = go.Figure()
    for name in [name for name in paths["learner"].unique() if name in picked]:
        part = paths[paths["learner"] == name]
        colour = COLOURS["text"] if name == FUSED else learner_colour(page.learners, name)
        title = page.t("path.mean") if name == FUSED else learner_label(page, name)
        size, score, error = (part[column].to_numpy(float) for column in ("features", "score", "standard_error"))
        figure.add_scatter(
            x=np.concatenate([size, size[::-1]]),
            y=np.concatenate([score + error, (score - error)[::-1]]),
            mode="lines",
            fill="toself",
            line={"width": 0},
            fillcolor=with_opacity(colour, BAND_OPACITY),
            hoverinfo="skip",
            showlegend=False,
            legendgroup=name,
        )
        figure.add_scatter(
            x=size,
            y=score,
            mode="lines+markers",
            name=title,
            legendgroup=name,
            line={"color": colour, "width": 3 if name == FUSED else 1.6},
            marker={"size": np.where(part["chosen"], 13, 6), "symbol": np.where(part["chosen"], "star", "circle")},
            customdata=np.column_stack([error]),
            hovertemplate=f"{title}<br>%{{x}} {page.t('path.covariates')}<br>%{{y:.3f}} ± %{{customdata[0]:.3f}}<extra></extra>",
        )
    size = len(selection.chosen)
    figure.add_vline(x=size, line={"color": COLOURS["accent"], "dash": "dash", "width": 1.5})
    figure.add_annotation(
        x=size, y=0.02, yref="paper", text=page.t("path.chosen", count=size), showarrow=False, xanchor="left", xshift=6,
        font={"color": COLOURS["accent"]}, bgcolor="rgba(255,255,255,0.8)",
    )  # fmt: skip
    figure.update_layout(
        xaxis={"title": page.t("path.axis"), "autorange": "reversed", "dtick": max(1, round(paths["features"].max() / 12))},
        yaxis={"title": metric_text(page, selection)},
        hovermode="closest",
    )
    return figure


def with_opacity(colour: str, opacity: float) -> str:
    """A colour of the form #rrggbb that lets the ground through."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def metric_text(page: Page, selection: Selection) -> str:
    """What the scores of the path are."""
    return page.t("path.r2") if selection.metric == "R2" else page.t("path.brier")


def steps_table(page: Page, selection: Selection) -> pd.DataFrame:
    """One row per set of the path."""
    steps = path_steps(selection)
    marks = np.select([steps["chosen"], steps["best"], steps["within_one_error"]], ["chosen", "best", "within"], default="other")
    return pd.DataFrame(
        {
            "features": steps["features"],
            "score": steps["score"],
            "error": steps["standard_error"],
            "mark": ["" if mark == "other" else page.t(f"mark.{mark}") for mark in marks],
            "dropped": [names_text(names) for names in steps["dropped"]],
        }
    )


def step_settings(page: Page, selection: Selection) -> dict:
    """Headings and digits."""
    return {
        "features": st.column_config.NumberColumn(page.t("path.covariates_column"), width="small"),
        "score": st.column_config.NumberColumn(metric_text(page, selection), format="%.3f"),
        "error": st.column_config.NumberColumn(page.t("path.error"), format="%.3f", help=page.t("path.error_help")),
        "mark": st.column_config.TextColumn(page.t("path.mark")),
        "dropped": st.column_config.TextColumn(page.t("path.dropped"), width="large"),
    }


# ---- stability --------------------------------------------------------------------------------------------------------------


def draw_stability(page: Page, selection: Selection) -> None:
    """How often each covariate is chosen, in the selection's own splits and inside the outer folds."""
    help_box(page, "stability", "nested")
    metrics = page.metrics() if (page.run.folder / "metrics.json").is_file() else None
    found = choice_stability(selection, metrics)
    with narrow_columns("features-agreement"):
        first, second, third = st.columns(3)
    first.metric(page.t("stability.splits"), found.n_splits)
    agreement = selection.stability
    second.metric(page.t("stability.jaccard"), fixed(agreement["jaccard"]), help=page.t("stability.jaccard_help"))
    third.metric(page.t("stability.kuncheva"), fixed(agreement["kuncheva"]), help=page.t("stability.kuncheva_help"))
    columns = {"splits": page.t("stability.own", count=found.n_splits)}
    columns |= {scheme: f"{scheme_label(page, scheme)} ({count})" for scheme, count in found.folds.items()}
    rows = found.frequency
    height = 170 + ROW_PIXELS * len(rows)
    show(frequency_figure(page, rows, columns), key="features.stability", height=height, alt=page.t("stability.alt"))
    st.caption(page.t("stability.note") if found.folds else page.t("stability.not_nested"))


def frequency_figure(page: Page, rows: pd.DataFrame, columns: dict[str, str]) -> go.Figure:
    """A table of frequencies in colours, chosen covariates in bold, the most important on top."""
    values = rows[list(columns)].to_numpy(float)
    labels = [
        f"<b>{shown(name)}</b>" if chosen else shown(name) for name, chosen in zip(rows["covariate"], rows["chosen"], strict=True)
    ]
    figure = go.Figure(
        go.Heatmap(
            z=values,
            x=list(columns.values()),
            y=labels,
            zmin=0,
            zmax=1,
            colorscale=[[0, "#ffffff"], [1, COLOURS["accent"]]],
            text=[[percent(value) if value > 0 else "" for value in row] for row in values],
            texttemplate="%{text}",
            showscale=False,
            xgap=2,
            ygap=2,
            hovertemplate="%{y}<br>%{x}<br>%{z:.0%}<extra></extra>",
        )
    )
    figure.update_layout(
        xaxis={"side": "top", "ticks": "", "showgrid": False, "tickangle": -30},
        yaxis={"autorange": "reversed", "ticks": "", "showgrid": False},
        margin={"t": 70, "b": 8},
        dragmode=False,
    )
    return figure


# ---- correlation ------------------------------------------------------------------------------------------------------------


def draw_correlations(page: Page, found: Correlations, chosen: tuple[str, ...]) -> None:
    """Groups of covariates that say the same, and how alike all pairs are."""
    help_box(page, "correlation_groups")
    with narrow_columns("features-correlation-row"):
        left, right = st.columns([5, 4], gap="large")
    with left:
        names = list(found.matrix)
        height = min(720, 170 + 22 * len(names))
        show(correlation_figure(page, found), key="features.correlation", height=height, alt=page.t("correlation.alt"))
    with right:
        st.markdown(f"**{page.t('correlation.groups', limit=fixed(found.limit))}**")
        if found.groups:
            st.dataframe(group_table(page, found, chosen), hide_index=True, key="features.groups")
        else:
            st.info(page.t("correlation.none", limit=fixed(found.limit)), icon=":material/info:")
        if found.distinct:
            st.caption(
                page.t("correlation.distinct", groups=plain_text("; ".join(names_text(group) for group in found.distinct)))
            )
        st.markdown(f"**{page.t('correlation.pairs')}**")
        pairs = found.pairs(10)
        st.dataframe(
            pairs.assign(first=pairs["first"].map(shown), second=pairs["second"].map(shown))[["rho", "first", "second"]],
            hide_index=True,
            key="features.pairs",
            column_config={
                "first": st.column_config.TextColumn(page.t("correlation.first"), width="medium"),
                "second": st.column_config.TextColumn(page.t("correlation.second"), width="medium"),
                "rho": st.column_config.NumberColumn("|ρ|", format="%.2f", width="small"),
            },
        )


def correlation_figure(page: Page, found: Correlations) -> go.Figure:
    """|rho| of every pair, alike covariates side by side."""
    names = [shown(name) for name in found.matrix]
    steps = colours("davos_r")[np.linspace(0, 255, 12).round().astype(int)]
    scale = [(step / 11, f"rgb({red},{green},{blue})") for step, (red, green, blue) in enumerate(steps.tolist())]
    figure = go.Figure(
        go.Heatmap(
            z=found.matrix.to_numpy(),
            x=names,
            y=names,
            zmin=0,
            zmax=1,
            colorscale=scale,
            colorbar={"title": {"text": "|ρ|"}, "thickness": 12, "outlinewidth": 0},
            xgap=1,
            ygap=1,
            hovertemplate="%{x}<br>%{y}<br>|ρ| %{z:.2f}<extra></extra>",
        )
    )
    axis = {"ticks": "", "showgrid": False, "dtick": 1, "tickfont": {"size": 11}}
    figure.update_layout(
        xaxis={**axis, "tickangle": -55}, yaxis={**axis, "autorange": "reversed"}, dragmode=False, margin={"t": 12}
    )
    return figure


def group_table(page: Page, found: Correlations, chosen: tuple[str, ...]) -> pd.DataFrame:
    """One row per group."""
    rows = [
        (
            names_text(group),
            names_text([name for name in group if name in chosen]) or page.c("none"),
            fixed(found.weakest_pair(group)),
        )
        for group in found.groups
    ]
    return pd.DataFrame(
        rows, columns=[page.t("correlation.members"), page.t("correlation.chosen"), page.t("correlation.weakest")]
    )


def group_label(page: Page, name: str) -> str:
    """Display name of a group of covariates."""
    return label(page, "group", name)
