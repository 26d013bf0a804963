"""What a classification got right: confusion matrix, scores class by class, accuracy by mapped area."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from alm_core.diagnostics.classes import ClassReport, class_name
from pages.parts import validation_data as data
from pages.parts.charts import CATEGORY_COLOURS, COLOURS, show
from pages.parts.columns import narrow_columns
from pages.parts.frame import Page, help_box
from pages.parts.numbers import fixed, number, percent
from pages.parts.site_map import escape
from pages.parts.validation_spread import folds_figure

FIGURE_HEIGHT = 420
SCALE = ((0.0, "#ffffff"), (1.0, COLOURS["accent"]))
SCORES = ("recall", "precision", "f1")


def classes_view(page: Page, scheme: str, learner: str) -> None:
    """Matrix and scores side by side; folds and mapped area below."""
    if page.regression:
        st.info(page.t("classes.not_classes"), icon=":material/info:")
        return
    report = data.class_report(*data.place(page.run), scheme, learner)
    left, right = narrow_columns("class-columns").columns(2)
    with left:
        st.subheader(page.t("classes.title"), anchor=False)
        show(matrix_figure(page, report), key="confusion", height=FIGURE_HEIGHT)
    with right:
        st.subheader(page.t("classes.scores_title"), anchor=False)
        show(scores_figure(page, report), key="class_scores", height=FIGURE_HEIGHT)
        for name in SCORES:
            st.caption(page.t(f"classes.{name}"))
    st.subheader(page.t("spread.folds_title"), anchor=False)
    folds = data.fold_scores(*data.place(page.run), scheme, learner)
    pooled = page.metrics()["schemes"][scheme][learner]
    show(folds_figure(page, folds, pooled, scheme in ("survey", "method"), learner), key="folds", height=320)
    area_part(page, report)
    help_box(page, "kappa")


def matrix_figure(page: Page, report: ClassReport) -> go.Figure:
    """Counts, coloured by the part of the observed class; rows are what was predicted."""
    counts = report.confusion
    parts = counts / np.maximum(counts.sum(axis=0, keepdims=True), 1)
    names = [escape(class_name(name)) for name in report.classes]
    texts = [
        [
            page.t(
                "classes.hover", count=counts[row, column], reference=reference, mapped=mapped, part=percent(parts[row, column])
            )
            for column, reference in enumerate(names)
        ]
        for row, mapped in enumerate(names)
    ]
    figure = go.Figure(
        go.Heatmap(
            z=parts,
            x=names,
            y=names,
            colorscale=SCALE,
            zmin=0,
            zmax=1,
            customdata=texts,
            text=[
                [f"{count}<br>{percent(part)}" for count, part in zip(*rows, strict=True)]
                for rows in zip(counts, parts, strict=True)
            ],
            texttemplate="%{text}",
            hovertemplate="%{customdata}<extra></extra>",
            showscale=False,
            xgap=2,
            ygap=2,
        )
    )
    figure.update_xaxes(title=page.t("classes.reference"), type="category", showgrid=False)
    figure.update_yaxes(title=page.t("classes.mapped"), type="category", autorange="reversed", showgrid=False)
    return figure


def scores_figure(page: Page, report: ClassReport) -> go.Figure:
    """Recall, precision and F1 of every class."""
    figure = go.Figure()
    for name, colour in zip(SCORES, CATEGORY_COLOURS, strict=False):
        values = getattr(report, name)
        figure.add_bar(
            x=[escape(class_name(label)) for label in report.classes],
            y=values,
            name=page.t(f"classes.{name}").split(":")[0].split("：")[0],
            marker={"color": colour, "opacity": 0.85},
            text=[fixed(value) for value in values],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{x}: %{text}<extra>%{fullData.name}</extra>",
        )
    figure.update_yaxes(title=page.t("classes.axis"), range=[0, 1.12], tickvals=[0, 0.25, 0.5, 0.75, 1])
    figure.update_xaxes(title=page.t("classes.class"), type="category")
    figure.update_layout(barmode="group", bargap=0.3)
    return figure


def area_part(page: Page, report: ClassReport) -> None:
    """Accuracy and areas adjusted for the mapped area."""
    st.subheader(page.t("classes.area_title"), anchor=False)
    found = report.area_adjusted
    if found is None:
        st.caption(page.t("classes.no_area"))
        return
    accuracy, error = fixed(found["overall_accuracy"]), fixed(found["overall_accuracy_se"])
    st.markdown(page.t("classes.area_text", accuracy=accuracy, error=error))
    table = pd.DataFrame(
        {
            page.t("classes.class"): [class_name(name) for name in report.classes],
            page.t("classes.area"): [number(value) for value in found["area"]],
            page.t("classes.area_error"): [number(value, 2) for value in found["area_se"]],
            page.t("classes.area_users"): pairs(found["users_accuracy"], found["users_accuracy_se"]),
            page.t("classes.area_producers"): pairs(found["producers_accuracy"], found["producers_accuracy_se"]),
        }
    )
    st.dataframe(table, hide_index=True, width="stretch")


def pairs(values: list[float], errors: list[float]) -> list[str]:
    """Values with their standard errors."""
    return [f"{fixed(value)} ± {fixed(error)}" for value, error in zip(values, errors, strict=True)]
