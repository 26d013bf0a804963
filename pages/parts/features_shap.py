"""SHAP values of the sites: beeswarm, bars, groups, dependence, waterfall."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from alm_core.errors import AlmError
from alm_core.inspection.shap_table import REST, ShapTable, explainable_learners
from alm_core.palettes import colours
from pages.parts.charts import CATEGORY_COLOURS, COLOURS, axis_title, show
from pages.parts.columns import narrow_columns
from pages.parts.features_data import FUSED, load_shap, load_strengths
from pages.parts.features_elimination import group_label, shown
from pages.parts.frame import Page, help_box, learner_label
from pages.parts.numbers import number, percent, unit_text, with_unit
from pages.parts.plain_text import plain_text

GROUP_COLOURS = {
    "terrain": "#8a6d3b",
    "soil": "#d55e00",
    "vegetation": "#009e73",
    "climate": "#0072b2",
    "radar": "#cc79a7",
    "other": "#8a979f",
}
SWARM_STEPS = 60
POINT_PALETTE, POINT_PART = "batlow", 0.87
SWARM_WIDTH = 0.38
UP, DOWN = CATEGORY_COLOURS[5], CATEGORY_COLOURS[0]
LARGEST = 9


def draw_shap(page: Page) -> None:
    """Choose whose values, then one view of them."""
    help_box(page, "shap", "dependence", "waterfall")
    whose = choose_whose(page)
    if whose is None:
        return
    try:
        with st.spinner(page.t("shap.reading")):
            table = load_shap(str(page.run.folder), whose)
    except AlmError as fault:
        st.error(plain_text(str(fault)))
        return
    views = {
        "swarm": draw_swarm,
        "bar": draw_bars,
        "groups": draw_groups,
        "dependence": draw_dependence,
        "waterfall": draw_waterfall,
    }
    view = st.segmented_control(
        page.t("shap.view"),
        list(views),
        default="swarm",
        required=True,
        format_func=lambda name: page.t(f"view.{name}"),
        key="features.view",
        label_visibility="collapsed",
    )
    views[view](page, table, whose)


def choose_whose(page: Page) -> str | None:
    """The fused value, or a member; None with an explanation where there is nothing to explain."""
    options = [FUSED] if (page.run.folder / "shap.parquet").is_file() else []
    options += explainable_learners(page.run)
    if not options:
        st.info(page.t("empty.shap_classes") if not page.regression else page.t("empty.shap"), icon=":material/info:")
        return None
    if FUSED not in options:
        st.caption(page.t("empty.shap_fused"))
    return st.segmented_control(
        page.t("shap.whose"),
        options,
        default=options[0],
        required=True,
        format_func=lambda name: plain_text(learner_label(page, name)),
        key="features.whose",
    )


def unit_title(page: Page) -> str:
    """Title of an axis of SHAP values."""
    return axis_title(page.t("shap.axis", target=page.options.target.name), page.unit)


def scale_of(name: str, *, last: float = 1.0, steps: int = 12) -> list[tuple[float, str]]:
    """A palette as plotly takes it, up to a part of it: the palest colours would not be seen on white."""
    table = colours(name)[np.linspace(0, 255 * last, steps).round().astype(int)]
    return [(step / (steps - 1), f"rgb({red},{green},{blue})") for step, (red, green, blue) in enumerate(table.tolist())]


# ---- all sites --------------------------------------------------------------------------------------------------------------


def draw_swarm(page: Page, table: ShapTable, whose: str) -> None:
    """One row per covariate, one point per site, coloured by the covariate's rank."""
    order = table.importance()["feature"].tolist()
    figure = go.Figure()
    for row, name in enumerate(order):
        values = table.values[name].to_numpy(float)
        places = row + swarm_offsets(values) * SWARM_WIDTH
        unit = unit_text(table.units.get(name, ""))
        figure.add_scatter(
            x=values,
            y=places,
            mode="markers",
            showlegend=False,
            marker={
                "color": table.features[name].rank(pct=True),
                "colorscale": scale_of(POINT_PALETTE, last=POINT_PART),
                "cmin": 0,
                "cmax": 1,
                "size": 5,
                "opacity": 0.85,
                "colorbar": swarm_bar(page) if row == 0 else None,
                "showscale": row == 0,
            },
            customdata=np.column_stack([table.values.index, [number(value) for value in table.features[name]]]),
            hovertemplate=(
                f"<b>%{{customdata[0]}}</b><br>{shown(name)}: %{{customdata[1]}} {unit}<br>SHAP %{{x:+.4f}}<extra></extra>"
            ),
        )
    figure.add_vline(x=0, line={"color": COLOURS["reference"], "width": 1})
    figure.update_layout(
        xaxis_title=unit_title(page),
        yaxis={
            "tickvals": list(range(len(order))),
            "ticktext": [shown(name) for name in order],
            "range": [len(order) - 0.4, -0.6],
        },
        margin={"t": 16},
    )
    show(figure, key=f"features.swarm.{whose}", height=120 + 44 * len(order), alt=page.t("shap.swarm_alt"))
    st.caption(page.t("shap.swarm_note"))


def swarm_bar(page: Page) -> dict:
    """Legend of the colours: low and high values of a covariate."""
    return {
        "title": {"text": page.t("shap.rank"), "side": "right", "font": {"size": 12}},
        "thickness": 10,
        "outlinewidth": 0,
        "tickvals": [0.03, 0.97],
        "ticktext": [page.t("shap.low"), page.t("shap.high")],
    }


def swarm_offsets(values: np.ndarray) -> np.ndarray:
    """Place points of nearly the same value above and below each other, within -1 to 1, densest first.

    Examples
    --------
    >>> swarm_offsets(np.array([0.0, 0.0, 0.0, 1.0])).tolist()
    [0.0, 1.0, -1.0, 0.0]
    """
    span = float(np.ptp(values)) or 1.0
    bins = np.round((values - values.min()) / span * SWARM_STEPS).astype(int)
    place = pd.Series(bins).groupby(bins).cumcount().to_numpy()
    side = np.where(place % 2 == 1, 1, -1) * ((place + 1) // 2)
    return side / max(1, int(np.abs(side).max()))


def draw_bars(page: Page, table: ShapTable, whose: str) -> None:
    """Mean size of the values, coloured by group."""
    rows = table.importance()
    figure = go.Figure()
    for group in dict.fromkeys(rows["group"]):
        part = rows[rows["group"] == group]
        figure.add_bar(
            x=part["importance"],
            y=part["feature"].map(shown),
            orientation="h",
            name=group_label(page, group),
            marker={"color": GROUP_COLOURS[group]},
            text=[percent(share) for share in part["share"]],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}: %{x:.4f}<extra></extra>",
        )
    order = rows["feature"].map(shown).tolist()
    figure.update_layout(
        xaxis_title=axis_title(page.t("shap.mean"), page.unit),
        yaxis={"categoryorder": "array", "categoryarray": order[::-1]},
        bargap=0.25,
        barmode="overlay",
        margin={"r": 56},
    )
    show(figure, key=f"features.bars.{whose}", height=130 + 34 * len(rows), alt=page.t("shap.bar_alt"))
    st.caption(page.t("shap.bar_note"))


def draw_groups(page: Page, table: ShapTable, whose: str) -> None:
    """Sums over the groups: their mean size, and how they spread over the sites."""
    rows, values = table.group_importance(), table.group_values()
    with narrow_columns("features-group-row"):
        left, right = st.columns([2, 3], gap="large")
    with left:
        figure = go.Figure(
            go.Bar(
                x=rows["importance"],
                y=[group_label(page, group) for group in rows["group"]],
                orientation="h",
                marker={"color": [GROUP_COLOURS[group] for group in rows["group"]]},
                text=[percent(share) for share in rows["share"]],
                textposition="outside",
                cliponaxis=False,
                hovertemplate="%{y}: %{x:.4f}<extra></extra>",
            )
        )
        figure.update_layout(
            xaxis_title=axis_title(page.t("shap.mean_group"), page.unit), yaxis={"autorange": "reversed"}, margin={"r": 56}
        )
        show(figure, key=f"features.groups.{whose}", height=340, alt=page.t("shap.group_alt"))
    with right:
        figure = go.Figure()
        for group in rows["group"]:
            figure.add_box(
                x=values[group],
                name=group_label(page, group),
                marker={"color": GROUP_COLOURS[group], "size": 3},
                line={"width": 1.4},
                hoverinfo="x",
                showlegend=False,
            )
        figure.add_vline(x=0, line={"color": COLOURS["reference"], "width": 1})
        figure.update_layout(xaxis_title=unit_title(page), yaxis={"autorange": "reversed"})
        show(figure, key=f"features.group_spread.{whose}", height=340, alt=page.t("shap.group_alt"))
    members = {
        group: [shown(name) for name in table.values if table.groups.get(name, "other") == group] for group in rows["group"]
    }
    names = "; ".join(f"{group_label(page, group)}: {', '.join(features)}" for group, features in members.items())
    st.caption(page.t("shap.group_note", groups=plain_text(names)))


# ---- one covariate, one site ------------------------------------------------------------------------------------------------


def draw_dependence(page: Page, table: ShapTable, whose: str) -> None:
    """SHAP values of one covariate against its own values, coloured by the one that it acts together with."""
    order = table.importance()["feature"].tolist()
    with narrow_columns("features-dependence-row"):
        left, right = st.columns(2)
    with left:
        feature = st.selectbox(page.t("dependence.feature"), order, format_func=shown, key="features.dependence")
    strengths = load_strengths(str(page.run.folder), whose, feature)
    with right:
        partner = choose_partner(page, strengths, feature)
    rows = table.dependence(feature, partner=partner)
    marker = {"size": 7, "opacity": 0.9, "color": COLOURS["fused"], "line": {"color": "#ffffff", "width": 0.4}}
    if partner is not None:
        title = axis_title(shown(partner), table.units.get(partner, ""))
        bar = {"title": {"text": title, "side": "right", "font": {"size": 12}}, "thickness": 12, "outlinewidth": 0}
        low, high = np.nanpercentile(rows["partner"], [2, 98])
        marker |= {
            "color": rows["partner"],
            "colorscale": scale_of(POINT_PALETTE, last=POINT_PART),
            "colorbar": bar,
            "cmin": low,
            "cmax": high,
        }
    unit = unit_text(table.units.get(feature, ""))
    figure = go.Figure(
        go.Scatter(
            x=rows["value"],
            y=rows["shap"],
            mode="markers",
            marker=marker,
            customdata=rows[["site_id"]].to_numpy(),
            hovertemplate=f"<b>%{{customdata[0]}}</b><br>{shown(feature)} %{{x:.4g}} {unit}<br>SHAP %{{y:+.4f}}<extra></extra>",
        )
    )
    figure.add_hline(y=0, line={"color": COLOURS["reference"], "width": 1})
    figure.update_layout(xaxis_title=axis_title(shown(feature), table.units.get(feature, "")), yaxis_title=unit_title(page))
    show(figure, key=f"features.dependence_figure.{whose}", height=440, alt=page.t("dependence.alt"))
    st.caption(page.t("dependence.note"))


def choose_partner(page: Page, strengths: pd.Series, feature: str) -> str | None:
    """The partner by measure, another one by hand, or none."""
    names = list(strengths.index)
    first = 0 if len(strengths) and strengths.iloc[0] > 0 else None
    chosen = st.selectbox(
        page.t("dependence.partner"),
        names,
        index=first,
        format_func=lambda name: f"{shown(name)} ({page.t('dependence.strength', part=percent(strengths[name]))})",
        placeholder=page.t("dependence.no_partner"),
        help=page.t("dependence.partner_help"),
        key=f"features.partner.{feature}",
    )
    return chosen if chosen in names else None


def draw_waterfall(page: Page, table: ShapTable, whose: str) -> None:
    """From the base to the prediction of one site."""
    sites = table.values.index.tolist()
    site = st.selectbox(page.t("waterfall.site"), sites, key="features.site", help=page.t("waterfall.help"))
    rows = table.waterfall(site, largest=LARGEST)
    labels = [waterfall_label(page, table, row.feature, row.value) for row in rows.itertuples()]
    total = float(table.prediction[site])
    figure = go.Figure(
        go.Waterfall(
            orientation="h",
            base=table.base,
            x=rows["contribution"],
            y=labels,
            measure=["relative"] * len(rows),
            text=[f"{part:+.3f}".replace("-", "−") for part in rows["contribution"]],
            textposition="outside",
            cliponaxis=False,
            increasing={"marker": {"color": UP}},
            decreasing={"marker": {"color": DOWN}},
            connector={"line": {"color": COLOURS["reference"], "width": 1, "dash": "dot"}},
            hovertemplate="%{y}<br>%{text}<extra></extra>",
        )
    )
    low, high = float(rows[["start", "end"]].to_numpy().min()), float(rows[["start", "end"]].to_numpy().max())
    pad = 0.2 * (high - low or 1.0)
    for value in (table.base, total):
        figure.add_vline(x=value, line={"color": COLOURS["reference"], "dash": "dash", "width": 1})
    figure.update_layout(
        xaxis={"title": axis_title(page.options.target.name, page.unit), "range": [low - pad, high + pad]},
        yaxis={"autorange": "reversed"},
        showlegend=False,
        margin={"t": 12},
    )
    ends = {"base": with_unit(table.base, page.unit), "total": with_unit(total, page.unit)}
    st.markdown(page.t("waterfall.ends", **ends))
    show(figure, key=f"features.waterfall.{whose}", height=110 + 42 * len(rows), alt=page.t("waterfall.alt"))
    st.caption(page.t("waterfall.note"))


def waterfall_label(page: Page, table: ShapTable, feature: str, value: float) -> str:
    """A covariate with its value at the site."""
    if feature == REST:
        return page.t("waterfall.rest", count=table.values.shape[1] - LARGEST)
    shown_value = f"{value:.0f}" if table.kinds.get(feature) == "categorical" else with_unit(value, table.units.get(feature, ""))
    return f"{shown(feature)}<br><span style='font-size:11px;color:{COLOURS['muted']}'>{shown_value}</span>"
