"""The distance curves: which scheme holds sites out as far away as the map is from all sites."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from alm_core.diagnostics.distances import DistanceCurves, cumulative
from alm_core.workspace import read_json
from pages.parts import validation_data as data
from pages.parts.charts import CATEGORY_COLOURS, COLOURS, axis_title, show
from pages.parts.columns import narrow_columns
from pages.parts.frame import Page, help_box, scheme_label
from pages.parts.numbers import number, percent
from pages.parts.validation_choice import choose_segment

STEPS = 300
FIGURE_HEIGHT = 460
FAR = 0.995
"""Part of the map that the axis must hold; a few far corners would press all curves to the left."""


def distances_view(page: Page, scheme: str) -> None:
    """Choice of the space, the sentence, the curves and their distance to the map's."""
    st.subheader(page.t("distances.title"), anchor=False)
    names = {name: page.t(f"distances.space_{name}") for name in ("km", "covariates")}
    space = choose_segment(page.t("distances.space"), list(names), key="space", names=names.get)
    on_ground = space == "km"
    curves = data.ground_distances(*data.place(page.run)) if on_ground else data.covariate_distances(*data.place(page.run))
    if curves is None:
        st.info(page.t("distances.no_covariates"), icon=":material/info:")
        return
    if not curves.map_to_site.size:
        st.info(page.t("distances.no_map_curve"), icon=":material/info:")
        return
    st.markdown(sentence(page, curves, scheme, on_ground))
    left, right = narrow_columns("distance-columns").columns([3, 2])
    with left:
        show(curves_figure(page, curves, scheme, on_ground), key="distance_curves", height=FIGURE_HEIGHT)
    with right:
        show(wasserstein_figure(page, curves, on_ground), key="distance_bars", height=FIGURE_HEIGHT)
    st.caption(page.t("distances.wasserstein_help"))
    note = knndm_note(page)
    if note and on_ground:
        st.caption(note)
    help_box(page, "distance_curves", "knndm", *(() if on_ground else ("di",)))


def distance_text(value: float, on_ground: bool) -> str:
    """A distance as text."""
    return f"{number(value, 2 if value < 100 else 3)} km" if on_ground else number(value, 2)


def sentence(page: Page, curves: DistanceCurves, scheme: str, on_ground: bool) -> str:
    """The figure in words."""
    middle = distance_text(float(np.median(curves.map_to_site)), on_ground)
    closest = scheme_label(page, curves.closest)
    if not on_ground:
        return page.t("distances.lead_covariates", map=middle, closest=closest)
    reach = distance_text(float(np.median(curves.schemes[scheme])), on_ground)
    return page.t("distances.lead_km", map=middle, reach=reach, scheme=scheme_label(page, scheme), closest=closest)


def curves_figure(page: Page, curves: DistanceCurves, chosen: str, on_ground: bool) -> go.Figure:
    """Empirical distributions: the map in black, sites in grey, each scheme in its colour, the chosen one thick."""
    figure = go.Figure()
    figure.add_trace(curve(page, curves.site_to_site, page.t("distances.sites"), COLOURS["reference"], 2, on_ground, dash="dot"))
    for place, (scheme, values) in enumerate(curves.schemes.items()):
        colour = CATEGORY_COLOURS[place % len(CATEGORY_COLOURS)]
        width = 4 if scheme == chosen else 2
        figure.add_trace(curve(page, values, scheme_label(page, scheme), colour, width, on_ground))
    figure.add_trace(curve(page, curves.map_to_site, page.t("distances.map"), "#000000", 4, on_ground))
    far = max(float(np.quantile(curves.map_to_site, FAR)), *(float(values.max()) for values in curves.schemes.values()))
    title = page.t("distances.axis_km") if on_ground else page.t("distances.axis_covariates")
    figure.update_xaxes(title=axis_title(title, "km" if on_ground else ""), range=[0, far * 1.02])
    figure.update_yaxes(title=page.t("distances.axis_part"), range=[0, 1.02], tickformat=".0%")
    figure.update_layout(legend={"orientation": "v", "x": 0.99, "xanchor": "right", "y": 0.03, "yanchor": "bottom"})
    figure.update_layout(legend_bgcolor="rgba(255,255,255,0.85)")
    return figure


def curve(page: Page, values: np.ndarray, name: str, colour: str, width: int, on_ground: bool, dash: str = "solid") -> go.Scatter:
    """One empirical distribution."""
    x, part = cumulative(values, most=STEPS)
    texts = [
        page.t("distances.hover", part=percent(share), distance=distance_text(value, on_ground))
        for share, value in zip(part, x, strict=True)
    ]
    return go.Scatter(
        x=np.concatenate([[0.0], x]),
        y=np.concatenate([[0.0], part]),
        mode="lines",
        name=name,
        line={"color": colour, "width": width, "shape": "hv", "dash": dash},
        customdata=["", *texts],
        hovertemplate=f"{name}<br>%{{customdata}}<extra></extra>",
    )


def wasserstein_figure(page: Page, curves: DistanceCurves, on_ground: bool) -> go.Figure:
    """W of every scheme as bars, the closest in the accent colour."""
    schemes = sorted(curves.wasserstein, key=lambda scheme: -curves.wasserstein[scheme])
    values = [curves.wasserstein[scheme] for scheme in schemes]
    figure = go.Figure(
        go.Bar(
            x=values,
            y=[scheme_label(page, scheme).replace(" (", "<br>(").replace("（", "<br>（") for scheme in schemes],
            orientation="h",
            marker={"color": [COLOURS["accent"] if scheme == curves.closest else "#b9c6cd" for scheme in schemes]},
            text=[distance_text(value, on_ground) for value in values],
            textposition="auto",
            insidetextanchor="end",
            hovertemplate="%{y}: %{text}<extra></extra>",
            width=0.6,
        )
    )
    figure.update_xaxes(title=axis_title(page.t("distances.wasserstein_axis"), "km" if on_ground else ""), rangemode="tozero")
    figure.update_yaxes(showgrid=False, ticks="")
    return figure


def knndm_note(page: Page) -> str:
    """What kNNDM made of the sites; empty where it was not run."""
    details = read_json(page.run.file("folds.json")).get("knndm", {}).get("details", {})
    if "knndm" not in details:
        return ""
    if details["clustered"]:
        return page.t("distances.clustered", clusters=details["knndm"]["clusters"])
    return page.t("distances.not_clustered", p=number(details["knndm"]["p_value"], 2))
