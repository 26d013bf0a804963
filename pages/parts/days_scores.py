"""Scores of a run of days: schemes side by side, confusion matrices of every set, scores by season, year, land cover, height."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from alm_core.inspection.days_scores import CHECK, HIDDEN_GAP, DayScores, day_scores, importance
from pages.parts.charts import COLOURS, learner_colour, show
from pages.parts.columns import narrow_columns
from pages.parts.days_words import group_label, kind_label, learner_name, scheme_name
from pages.parts.frame import Page, help_box, metric_label
from pages.parts.numbers import DASH, fixed, percent
from pages.parts.validation_choice import choose_item

COLUMNS = ("overall_accuracy", "kappa", "f1_macro", "brier")
MATRIX_HEIGHT = 270
SCALE = ((0.0, "#ffffff"), (1.0, COLOURS["accent"]))
GROUP_HEIGHT = 330
MANY_GROUPS = 12
ROW_HEIGHT, MOST_ROWS = 35, 40
"""Of a table that is shown whole: pixels, rows."""
ROOM = 0.04
MOST_PREDICTORS, BAR_HEIGHT = 15, 22


def scores_view(page: Page) -> None:
    """Everything, one below the other."""
    found = day_scores(page.run)
    st.subheader(page.t("scores.title"), anchor=False)
    st.markdown(hidden_text(page, found))
    table = schemes_table(page, found)
    height = ROW_HEIGHT * (min(len(table), MOST_ROWS) + 1) + 3
    st.dataframe(table, hide_index=True, width="stretch", height=height, key="days-schemes")
    note = page.t("scores.note")
    if is_number(found.labels_agree):
        note += " " + page.t("scores.products", part=percent(found.labels_agree))
    st.caption(note)
    against_part(page, found)
    leaks_part(page, found)
    scheme, learner = choose(page, found)
    matrices_part(page, found, scheme, learner)
    groups_part(page, found, scheme, learner)
    importance_part(page)
    help_box(page, "kappa", "random_days", "independent_check", "discriminant")


def hidden_text(page: Page, found: DayScores) -> str:
    """What the random split hides, in one sentence."""
    names = {"headline": scheme_name(page, found.headline)}
    pair = found.hidden
    if pair is None:
        value = found.scores(found.headline, found.mapped).get("overall_accuracy")
        return page.t("scores.no_random", value=percent(value, 1), **names)
    random, honest = pair
    leak = found.leaks.get("random", {})
    told = {"random": percent(random, 1), "honest": percent(honest, 1), **names}
    text = page.t("scores.hidden" if random - honest > HIDDEN_GAP else "scores.agree", **told)
    if is_number(leak.get("same_cell")) and is_number(leak.get("same_day")):
        shares = {"cell": percent(leak["same_cell"]), "day": percent(leak["same_day"])}
        text += " " + page.t("scores.leak", days=leak.get("near_days", DASH), km=f"{leak.get('near_km', 0):.0f}", **shares)
    return text


def is_number(value: Any) -> bool:
    """True of a finite number."""
    return isinstance(value, int | float) and math.isfinite(value)


# ---- tables -------------------------------------------------------------------------------------------------------------


def schemes_table(page: Page, found: DayScores) -> pd.DataFrame:
    """A row for each scheme and learner, the one that answers first, and the independent check; empty columns are left out."""
    order = sorted(found.schemes, key=lambda name: name != found.headline)
    rows = [
        scores_row(page, scheme_mark(page, found, scheme), name, found.scores(scheme, name))
        for scheme in order
        for name in found.learners
        if found.scores(scheme, name)
    ]
    rows += [scores_row(page, page.t("set.check"), name, found.check[name]) for name in found.learners if name in found.check]
    table = pd.DataFrame(rows)
    return table[[name for name in table if not (table[name] == DASH).all()]]


def scheme_mark(page: Page, found: DayScores, scheme: str) -> str:
    """A scheme, with the mark of the one that answers for the map."""
    name = scheme_name(page, scheme)
    return f"{name} · {page.t('scores.answers')}" if scheme == found.headline else name


def scores_row(page: Page, set_name: str, learner: str, scores: dict[str, Any]) -> dict[str, str]:
    """Scores of one learner, the accuracy with its interval."""
    low, high = (scores.get("interval") or {}).get("overall_accuracy") or (None, None)
    row = {page.t("scores.scheme"): set_name, page.t("scores.learner"): learner_name(page, learner)}
    for name in COLUMNS:
        value = scores.get(name)
        text = (percent(value, 1) if name == "overall_accuracy" else fixed(value, 3)) if is_number(value) else DASH
        if name == "overall_accuracy" and is_number(low) and is_number(high):
            text += f" ({fixed(100 * low, 1)}–{fixed(100 * high, 1)})"
        row[metric_label(page, name)] = text
    transition = ((scores.get("by") or {}).get("transition") or {}).get("transition months") or {}
    value = transition.get("overall_accuracy")
    row[page.t("scores.transition")] = percent(value, 1) if is_number(value) else DASH
    count = scores.get("count")
    return row | {page.t("scores.count"): f"{count:,}" if isinstance(count, int) else DASH}


def leaks_part(page: Page, found: DayScores) -> None:
    """What the training samples of each scheme know of its test samples."""
    rows = []
    for scheme, leak in found.leaks.items():
        if not isinstance(leak, dict):
            continue
        rows.append(
            {
                page.t("scores.scheme"): scheme_name(page, scheme),
                page.t("leaks.same_cell", days=leak.get("near_days", DASH)): percent(leak.get("same_cell"), 1),
                page.t("leaks.same_day", km=f"{leak.get('near_km') or 0:.0f}"): percent(leak.get("same_day"), 1),
                page.t("leaks.median_days"): fixed(leak.get("median_days"), 0),
                page.t("leaks.median_km"): fixed(leak.get("median_km"), 0),
            }
        )
    if rows:
        with st.expander(page.t("leaks.title"), icon=":material/visibility:"):
            st.caption(page.t("leaks.text"))
            st.dataframe(pd.DataFrame(rows).fillna(DASH), hide_index=True, width="stretch", key="days-leaks")


def against_part(page: Page, found: DayScores) -> None:
    """The learner against each discriminant on the cell-days that both answer, by the scheme that answers for the map."""
    rows = []
    for baseline, months in (found.against.get(found.headline) or {}).items():
        for name, facts in months.items():
            low, high = facts.get("interval") or (None, None)
            rows.append(
                {
                    page.t("against.baseline"): learner_name(page, baseline),
                    page.t("against.months"): page.t.get(f"group.{name.replace(' ', '_')}") or name,
                    learner_name(page, found.mapped): percent(facts.get("learner"), 1),
                    page.t("against.discriminant"): percent(facts.get("baseline"), 1),
                    page.t("against.gain"): gain_text(facts.get("difference"), low, high),
                    page.t("scores.count"): f"{facts.get('count', 0):,}",
                }
            )
    if rows:
        st.markdown(f"**{page.t('against.title')}**")
        st.dataframe(pd.DataFrame(rows), hide_index=True, width="stretch", key="days-against")
        st.caption(page.t("against.note", scheme=scheme_name(page, found.headline)))


def gain_text(value: float | None, low: float | None, high: float | None) -> str:
    """A difference of two accuracies in points, with its interval.

    Examples
    --------
    >>> gain_text(0.0287, 0.0203, 0.0379), gain_text(None, None, None)
    ('+2.9 (+2.0 – +3.8)', '–')
    """
    if not is_number(value):
        return DASH
    known = is_number(low) and is_number(high)
    return points(value) + (f" ({points(low)} – {points(high)})" if known else "")


def points(part: float) -> str:
    """A part of one in hundredths with its sign."""
    return f"{'+' if part > 0 else '−' if part < 0 else ''}{abs(100 * part):.1f}"


def choose(page: Page, found: DayScores) -> tuple[str, str]:
    """The scheme and the learner of what stands below."""
    st.subheader(page.t("scores.detail"), anchor=False)
    left, right = narrow_columns("days-choice").columns(2)
    schemes = [found.headline, *(name for name in found.schemes if name != found.headline)]
    names = {name: scheme_mark(page, found, name) for name in schemes}
    scheme = choose_item(left, page.t("scores.scheme"), schemes, first=found.headline, key="scheme", names=names.get)
    learners = {name: learner_name(page, name) for name in found.learners}
    learner = choose_item(right, page.t("scores.learner"), list(learners), first=found.mapped, key="learner", names=learners.get)
    return scheme, learner


# ---- matrices -----------------------------------------------------------------------------------------------------------


def matrices_part(page: Page, found: DayScores, scheme: str, learner: str) -> None:
    """A confusion matrix for each set of the split, and for the independent check."""
    sets = found.sets(scheme, learner)
    if not sets:
        st.caption(page.t("matrix.none"))
        return
    st.markdown(f"**{page.t('matrix.title')}**")
    columns = narrow_columns("days-matrices", per_row=2).columns(max(len(sets), 2))
    for column, (name, scores) in zip(columns, sets.items(), strict=False):
        with column:
            st.markdown(f"{page.t(f'set.{name}')}  \n:small[{set_text(page, scores)}]")
            show(matrix_figure(page, np.array(scores["confusion"])), key=f"days-matrix-{name}", height=MATRIX_HEIGHT)
    if "training" in sets:
        st.caption(page.t("matrix.training"))


def set_text(page: Page, scores: dict[str, Any]) -> str:
    """Accuracy and kappa of a set."""
    return page.t("matrix.scores", accuracy=percent(scores.get("overall_accuracy"), 1), kappa=fixed(scores.get("kappa"), 3))


def matrix_figure(page: Page, counts: np.ndarray) -> go.Figure:
    """Counts, coloured by the part of the observed state; rows are what the map says."""
    parts = counts / np.maximum(counts.sum(axis=0, keepdims=True), 1)
    names = [page.t("component.thawed"), page.t("component.frozen")]
    text = [
        [f"{count:,}<br>{percent(part)}" for count, part in zip(*rows, strict=True)]
        for rows in zip(counts.tolist(), parts.tolist(), strict=True)
    ]
    figure = go.Figure(
        go.Heatmap(
            z=parts, x=names, y=names, colorscale=SCALE, zmin=0, zmax=1, text=text, texttemplate="%{text}",
            hovertemplate="%{text}<extra></extra>", showscale=False, xgap=2, ygap=2,
        )
    )  # fmt: skip
    figure.update_xaxes(title=page.t("matrix.observed"), showgrid=False, side="bottom")
    figure.update_yaxes(title=page.t("matrix.predicted"), autorange="reversed", showgrid=False, tickangle=-90)
    figure.update_layout(margin={"l": 8, "r": 8, "t": 8, "b": 8})
    return figure


# ---- groups -------------------------------------------------------------------------------------------------------------


def groups_part(page: Page, found: DayScores, scheme: str, learner: str) -> None:
    """Accuracy of every learner in each group of a kind, then all scores of the chosen one."""
    groups = found.groups(scheme, learner)
    st.markdown(f"**{page.t('groups.title')}**")
    if not groups:
        st.caption(page.t("groups.none"))
        return
    kinds = list(groups)
    names = {kind: kind_label(page, kind) for kind in kinds}
    kind = st.segmented_control(
        page.t("groups.kind"),
        kinds,
        default=kinds[0],
        format_func=names.get,
        required=True,
        key="days-kind",
        label_visibility="collapsed",
    )
    kind = kind if kind in groups else kinds[0]
    show(groups_figure(page, found, scheme, kind, list(groups[kind])), key="days-groups", height=GROUP_HEIGHT)
    st.dataframe(groups_table(page, kind, groups[kind]), hide_index=True, width="stretch", key="days-groups-table")
    if found.groups(CHECK, learner).get(kind):
        with st.expander(page.t("groups.check")):
            st.dataframe(
                groups_table(page, kind, found.groups(CHECK, learner)[kind]),
                hide_index=True,
                width="stretch",
                key="days-groups-check",
            )


def groups_figure(page: Page, found: DayScores, scheme: str, kind: str, names: list[str]) -> go.Figure:
    """A dot with its interval for every learner and group."""
    figure, lowest = go.Figure(), 1.0
    for learner in found.learners:
        groups = found.groups(scheme, learner).get(kind, {})
        rows = [accuracy_interval(groups.get(name, {})) for name in names]
        lowest = min([lowest, *(low for _, low, _ in rows if is_number(low))])
        figure.add_scatter(
            x=[group_label(page, kind, name) for name in names],
            y=[value for value, _, _ in rows],
            name=learner_name(page, learner),
            mode="markers",
            marker={"color": learner_colour(found.learners, learner), "size": 10},
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [0 if value is None else high - value for value, _, high in rows],
                "arrayminus": [0 if value is None else value - low for value, low, _ in rows],
                "width": 4,
                "thickness": 1.2,
            },
            hovertemplate="%{x}: %{y:.1%}",
        )
    span = [max(0.0, lowest - ROOM), 1 + ROOM / 2]
    figure.update_yaxes(title=metric_label(page, "overall_accuracy"), tickformat=".0%", nticks=6, range=span)
    figure.update_xaxes(type="category", tickangle=-35 if len(names) > MANY_GROUPS else 0)
    figure.update_layout(scattermode="group", scattergap=0.6, margin={"l": 8, "r": 8, "t": 36, "b": 8})
    return figure


def accuracy_interval(scores: dict[str, Any]) -> tuple[float | None, float | None, float | None]:
    """Accuracy with its bounds, which are the accuracy itself where there are none."""
    value = scores.get("overall_accuracy")
    if not is_number(value):
        return None, None, None
    low, high = (scores.get("interval") or {}).get("overall_accuracy") or (None, None)
    return value, low if is_number(low) else value, high if is_number(high) else value


def groups_table(page: Page, kind: str, groups: dict[str, dict[str, Any]]) -> pd.DataFrame:
    """A row for each group."""
    rows = []
    for name, scores in groups.items():
        row = {kind_label(page, kind): group_label(page, kind, name), page.t("groups.count"): f"{scores.get('count', 0):,}"}
        row[page.t("groups.frozen")] = percent(scores.get("frozen"))
        row[metric_label(page, "overall_accuracy")] = percent(scores.get("overall_accuracy"), 1)
        for score in ("kappa", "f1_macro", "balanced_accuracy"):
            row[metric_label(page, score)] = fixed(scores.get(score), 3)
        rows.append(row)
    return pd.DataFrame(rows)


# ---- predictors ---------------------------------------------------------------------------------------------------------


def importance_part(page: Page) -> None:
    """The predictors that move the learner of the maps most."""
    ranked = list(importance(page.run).items())[:MOST_PREDICTORS]
    if not ranked:
        return
    st.markdown(f"**{page.t('importance.title')}**")
    names, values = [name.replace("_", " ") for name, _ in ranked], [value for _, value in ranked]
    hover = "%{y}: %{x:.3g}<extra></extra>"
    figure = go.Figure(go.Bar(x=values, y=names, orientation="h", marker={"color": COLOURS["accent"]}, hovertemplate=hover))
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(title=page.t("importance.axis"), nticks=6)
    figure.update_layout(margin={"l": 8, "r": 8, "t": 8, "b": 8})
    show(figure, key="days-importance", height=BAR_HEIGHT * len(ranked) + 70)
    st.caption(page.t("importance.note"))
