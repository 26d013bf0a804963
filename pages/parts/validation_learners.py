"""Learners side by side: scores, paired differences, the ranking of covariates, and which of them are enough."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from alm_core.inspection.comparison import Combination, ModelComparison, SchemeComparison, model_comparison
from alm_core.inspection.slices import SIGNIFICANCE
from pages.parts.charts import COLOURS, axis_title, show
from pages.parts.columns import narrow_columns
from pages.parts.frame import Page, help_box, label, learner_label, scheme_label
from pages.parts.numbers import fixed, number, p_text, with_unit
from pages.parts.plain_text import plain_text

ROW_HEIGHT, FRAME_HEIGHT = 34, 96
LISTED_FEATURES = 25


def learners_view(page: Page, scheme: str) -> None:
    """The whole comparison; the scheme of the page where learners were compared under it."""
    found = model_comparison(page.run)
    if found is None:
        st.info(page.t("learners.none"), icon=":material/info:")
        return
    chosen = scheme if scheme in found.schemes else next(iter(found.schemes))
    compared = found.schemes[chosen]
    st.subheader(page.t("learners.title"), anchor=False)
    if chosen != scheme:
        st.caption(page.t("learners.other_scheme", asked=scheme_label(page, scheme), shown=scheme_label(page, chosen)))
    st.markdown(sentence(page, compared))
    st.caption(page.t("learners.how", scheme=scheme_label(page, chosen), folds=compared.folds, repeats=compared.repeats))
    st.dataframe(scores_table(page, compared), hide_index=True, width="stretch", key="learner-scores")
    differences_part(page, compared)
    if not found.importance.empty:
        covariates_part(page, found)
    help_box(page, "paired_difference", "combination_test", "knndm", "random")


def sentence(page: Page, compared: SchemeComparison) -> str:
    """Who is best, or that nobody is, in the language of the page."""
    leader = compared.scores.iloc[0]
    values = {"best": shown_name(page, compared.leader), "rmse": with_unit(leader["rmse"], page.unit), "r2": fixed(leader["r2"])}
    if compared.best is None and compared.tied:
        names = ", ".join(shown_name(page, name) for name in compared.tied)
        return page.t("learners.tie", names=names, **values)
    nearest = compared.nearest
    if nearest is None:
        return page.t("learners.alone", **values)
    text = page.t(
        "learners.best",
        **values,
        nearest=shown_name(page, nearest["learner"]),
        difference=with_unit(nearest["rmse_difference"], page.unit, 2),
        error=number(nearest["standard_error"], 2),
        p=p_text(nearest["p_value"]),
    )
    return text if nearest["p_value"] < SIGNIFICANCE else text + page.t("learners.chance")


def shown_name(page: Page, name: str) -> str:
    """Display name of a learner, safe in running text: studies choose names."""
    return plain_text(learner_label(page, name))


def scores_table(page: Page, compared: SchemeComparison) -> pd.DataFrame:
    """A row per learner, the smallest error first."""
    rows = []
    marked = {compared.best} if compared.best else set(compared.tied)
    for row in compared.scores.to_dict("records"):
        mark = page.t("learners.tied_mark") if compared.best is None else page.t("learners.best_mark")
        rows.append(
            {
                page.t("learner"): learner_label(page, row["name"]),
                page.t("learners.kind"): label(page, "learner", row["kind"]),
                page.c("metric.r2"): fixed(row["r2"]),
                page.c("metric.rmse"): f"{number(row['rmse'])} ± {number(row['rmse_se'], 2)}",
                page.c("metric.mae"): number(row["mae"]),
                page.t("score.mean_error"): fixed(row["me"], 2),
                page.t("learners.verdict"): mark if row["name"] in marked else "",
            }
        )
    return pd.DataFrame(rows)


def differences_part(page: Page, compared: SchemeComparison) -> None:
    """How much worse than the leader every other learner is, with the error of that difference."""
    if compared.differences.empty:
        return
    st.markdown(f"**{page.t('learners.differences', leader=shown_name(page, compared.leader))}**")
    rows = len(compared.differences)
    show(differences_figure(page, compared), key="learner-differences", height=FRAME_HEIGHT + ROW_HEIGHT * rows)
    st.caption(page.t("learners.differences_help"))


def differences_figure(page: Page, compared: SchemeComparison) -> go.Figure:
    """A dot with its standard error for each learner; zero is the leader."""
    rows = compared.differences.sort_values("rmse_difference", ascending=False)
    near = rows["learner"].isin(compared.tied)
    figure = go.Figure(
        go.Scatter(
            x=rows["rmse_difference"],
            y=[learner_label(page, name) for name in rows["learner"]],
            mode="markers",
            marker={"size": 11, "color": [COLOURS["fused"] if one else COLOURS["warning"] for one in near]},
            error_x={"type": "data", "array": rows["standard_error"], "color": COLOURS["muted"], "thickness": 1.6, "width": 5},
            customdata=[[number(row["standard_error"], 2), p_text(row["p_value"])] for row in rows.to_dict("records")],
            hovertemplate="%{y}: %{x:+.3g} ± %{customdata[0]}<br>p %{customdata[1]}<extra></extra>",
        )
    )
    figure.add_vline(0, line={"color": COLOURS["text"], "width": 1.4})
    figure.update_layout(
        xaxis={"title": axis_title(page.t("learners.difference_axis"), page.unit), "nticks": 6},
        margin={"l": 8, "r": 16, "t": 8, "b": 44},
        showlegend=False,
    )
    return figure


def covariates_part(page: Page, found: ModelComparison) -> None:
    """The ranking of the covariates beside the curve of their combinations."""
    if found.learner:
        values = {"learner": shown_name(page, found.learner), "scheme": scheme_label(page, found.deciding or "")}
        st.markdown(page.t("learners.covariates_of", **values))
    left, right = narrow_columns("learner-covariates").columns(2)
    with left:
        st.markdown(f"**{page.t('learners.importance')}**")
        listed = found.importance.head(LISTED_FEATURES)
        height = FRAME_HEIGHT + max(8, len(listed)) * 24
        show(importance_figure(page, listed, found.chosen), key="learner-importance", height=height)
        rest = len(found.importance) - len(listed)
        st.caption(page.t("learners.importance_help") + (page.t("learners.more", count=rest) if rest > 0 else ""))
    with right:
        st.markdown(f"**{page.t('learners.combinations')}**")
        if not found.combinations:
            st.info(page.t("learners.no_combinations"), icon=":material/info:")
            return
        show(combinations_figure(page, found.combinations), key="learner-combinations", height=height)
        names = plain_text(", ".join(name.replace("_", " ") for name in found.chosen))
        st.caption(page.t("learners.chosen", count=len(found.chosen), names=names))


def importance_figure(page: Page, listed: pd.DataFrame, chosen: tuple[str, ...]) -> go.Figure:
    """Bars with their standard errors, the chosen covariates in the accent colour."""
    rows = listed.iloc[::-1]
    colours = [COLOURS["fused"] if name in chosen else COLOURS["reference"] for name in rows["feature"]]
    figure = go.Figure(
        go.Bar(
            x=rows["value"],
            y=[name.replace("_", " ") for name in rows["feature"]],
            orientation="h",
            marker={"color": colours},
            error_x={"type": "data", "array": rows["standard_error"], "color": COLOURS["muted"], "thickness": 1.2, "width": 3},
            hovertemplate="%{y}: %{x:.3g}<extra></extra>",
        )
    )
    figure.update_layout(
        xaxis={"title": axis_title(page.t("learners.importance_axis"), page.unit), "nticks": 5},
        margin={"l": 8, "r": 16, "t": 8, "b": 44},
        bargap=0.3,
    )
    return figure


def combinations_figure(page: Page, sets: tuple[Combination, ...]) -> go.Figure:
    """Error against the number of covariates: the curve through the ranking, other sets as small dots, the chosen one marked."""
    curve = sorted((one for one in sets if one.leading), key=lambda one: len(one.features))
    others = [one for one in sets if not one.leading]
    chosen = [one for one in sets if one.chosen][:1]
    groups = (
        (curve, page.t("learners.ranked"), {"size": 8, "color": COLOURS["fused"]}, "lines+markers"),
        (others, page.t("learners.others"), {"size": 7, "color": COLOURS["reference"], "symbol": "circle-open"}, "markers"),
        (
            chosen,
            page.t("learners.enough"),
            {"size": 15, "color": COLOURS["warning"], "symbol": "diamond-open", "line": {"width": 2.4}},
            "markers",
        ),
    )
    figure = go.Figure()
    for members, name, marker, mode in groups:
        if members:
            figure.add_trace(combination_trace(members, name, marker, mode, bars=members is curve))
    figure.update_layout(
        xaxis={"title": page.t("learners.count_axis"), "dtick": 1 if len(curve) <= 12 else None, "tickformat": "d"},
        yaxis={"title": axis_title(page.c("metric.rmse"), page.unit), "nticks": 6},
        margin={"l": 8, "r": 16, "t": 34, "b": 44},
    )
    return figure


def combination_trace(members: list[Combination], name: str, marker: dict, mode: str, *, bars: bool) -> go.Scatter:
    """One group of sets."""
    errors = {"type": "data", "array": [one.rmse_se or 0.0 for one in members], "color": COLOURS["fused"], "thickness": 1}
    return go.Scatter(
        x=[len(one.features) for one in members],
        y=[one.rmse for one in members],
        name=name,
        mode=mode,
        marker=marker,
        line={"color": COLOURS["fused"], "width": 1.6},
        error_y=errors if bars else None,
        customdata=["<br>".join(part.replace("_", " ") for part in one.features[:12]) for one in members],
        hovertemplate="RMSE %{y:.3g}<br>%{customdata}<extra></extra>",
    )
