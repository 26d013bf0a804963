"""One site in detail: verdict, covariates among all sites, analogues, predictions by models that never saw it."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from alm_core.inspection.site_profile import SiteProfile
from pages.parts.charts import COLOURS, axis_title, show
from pages.parts.columns import narrow_columns
from pages.parts.frame import Page, label, scheme_label
from pages.parts.numbers import number, unit_text, with_unit
from pages.parts.plain_text import plain_text
from pages.parts.sites_charts import method_label
from pages.parts.sites_data import class_text, load_profile
from pages.parts.sites_selection import site_key
from pages.parts.sites_study import StudyState, by_hand_panel

ANALOGUES = 6
TABLE_HEIGHT, HEAD_PIXELS, ROW_PIXELS = 420, 38, 35


def draw_profile(page: Page, sites: pd.DataFrame, study: StudyState) -> None:
    """Choose a site and show it."""
    ids = sites["site_id"].tolist()
    key = site_key(page)
    if st.session_state.get(key) not in ids:
        st.session_state[key] = ids[0]
    with narrow_columns("sites-profile"):
        left, right = st.columns([2, 3], gap="large")
    with left:
        site_id = st.selectbox(page.t("profile.site"), ids, key=key, help=page.t("profile.site_help"))
        profile = load_profile(str(page.run.folder), site_id, ANALOGUES)
        row = sites[sites["site_id"] == site_id].iloc[0]
        draw_facts(page, profile, row)
        by_hand_panel(page, study, site_id)
    with right:
        draw_predictions(page, profile)
    with narrow_columns("sites-details"):
        first, second = st.columns([3, 2], gap="large")
    with first:
        draw_covariates(page, profile)
    with second:
        draw_analogues(page, profile)


def draw_facts(page: Page, profile: SiteProfile, row: pd.Series) -> None:
    """Verdict and measurement."""
    if row["kept"]:
        st.success(page.t("profile.kept") if not row["reason"] else row["reason"], icon=":material/check_circle:")
    else:
        st.warning(page.t("profile.removed", reason=row["reason"]), icon=":material/cancel:")
    if row["record"]:
        st.caption(page.t("profile.record", text=plain_text(row["record"])))
    st.markdown("  \n".join(fact_lines(page, profile)))


def fact_lines(page: Page, profile: SiteProfile) -> list[str]:
    """One line for each thing that is known."""
    site = profile.site
    value = site["value"]
    text = with_unit(value, page.unit) if page.regression and isinstance(value, float) else plain_text(class_text(value))
    if site.get("uncertainty") is not None:
        text += f" ± {number(site['uncertainty'], 2)}"
    lines = [f"**{plain_text(page.options.target.name)}** {text}"] if value is not None else []
    if site.get("date") is not None:
        lines.append(f"**{page.t('column.date')}** {site['date']:%Y-%m-%d}")
    if site.get("method") is not None:
        lines.append(f"**{page.t('column.method')}** {plain_text(method_label(page, site['method']))}")
    if site.get("survey") is not None:
        lines.append(f"**{page.t('column.survey')}** {plain_text(str(site['survey']))}")
    if site.get("depth_top") is not None and site.get("depth_bottom") is not None:
        lines.append(f"**{page.t('column.layer')}** {site['depth_top']:.2f} – {site['depth_bottom']:.2f} m")
    if site["longitude"] is not None and site["latitude"] is not None:
        lines.append(f"**{page.t('profile.place')}** {site['longitude']:.4f}° E, {site['latitude']:.4f}° N")
    return lines


def draw_predictions(page: Page, profile: SiteProfile) -> None:
    """Observed value against the out-of-fold prediction of each scheme, with its interval."""
    st.markdown(f"**{page.t('profile.predictions')}**", help=page.t("profile.predictions_help"))
    table = profile.predictions
    if table.empty:
        st.info(page.t("empty.predictions"), icon=":material/info:")
        return
    if not page.regression:
        labels = {name: table[name].map(class_text) for name in ("observed", "predicted")}
        shown = pd.DataFrame({"scheme": [scheme_label(page, name) for name in table["scheme"]], **labels})
        names = {name: page.t(f"profile.{name}") for name in ("scheme", "observed", "predicted")}
        st.dataframe(shown.rename(columns=names), hide_index=True)
        return
    table = table.groupby("scheme", sort=False)[["observed", "predicted", "lower", "upper"]].mean().iloc[::-1]
    names = [scheme_label(page, name) for name in table.index]
    figure = go.Figure()
    figure.add_vline(x=float(table["observed"].iloc[0]), line={"color": COLOURS["observed"], "width": 2, "dash": "dot"})
    figure.add_scatter(
        x=table["predicted"],
        y=names,
        mode="markers",
        name=page.t("profile.predicted"),
        marker={"color": COLOURS["fused"], "size": 11},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": (table["upper"] - table["predicted"]).to_numpy(),
            "arrayminus": (table["predicted"] - table["lower"]).to_numpy(),
            "color": COLOURS["fused"],
            "thickness": 2,
            "width": 5,
        },
        hovertemplate="%{x:.3f} " + unit_text(page.unit) + "<extra></extra>",
    )
    observed = {"color": COLOURS["observed"], "width": 2, "dash": "dot"}
    figure.add_scatter(x=[None], y=[None], mode="lines", name=page.t("profile.observed"), line=observed)
    figure.update_layout(xaxis_title=axis_title(page.options.target.name, page.unit), margin={"l": 8, "t": 30, "b": 44})
    show(figure, key="sites.predictions", height=90 + 46 * max(3, len(table)))


def draw_covariates(page: Page, profile: SiteProfile) -> None:
    """Covariates with units, and where the site stands among all kept sites."""
    st.markdown(f"**{page.t('profile.covariates')}**", help=page.t("profile.covariates_help"))
    table = profile.covariates
    shown = pd.DataFrame(
        {
            "used": table["used"],
            "name": table["name"].str.replace("_", " "),
            "group": [label(page, "group", name) for name in table["group"]],
            "value": [covariate_text(row.value, row.unit, row.kind) for row in table.itertuples()],
            "percentile": table["percentile"],
        }
    )
    st.dataframe(
        shown,
        hide_index=True,
        height=min(TABLE_HEIGHT, HEAD_PIXELS + ROW_PIXELS * len(shown)),
        key="sites.covariates",
        column_config={
            "used": st.column_config.CheckboxColumn(page.t("column.used"), width="small", help=page.t("column.used_help")),
            "name": page.t("column.covariate"),
            "group": page.t("column.group"),
            "value": page.t("column.value"),
            "percentile": st.column_config.ProgressColumn(
                page.t("column.percentile"), min_value=0, max_value=100, format="%.0f", help=page.t("column.percentile_help")
            ),
        },
    )


def covariate_text(value: float, unit: str, kind: str) -> str:
    """A covariate as people read it; the code of a category without digits."""
    return f"{value:.0f}" if kind == "categorical" and value == value else with_unit(value, unit)


def draw_analogues(page: Page, profile: SiteProfile) -> None:
    """Sites most alike in the chosen covariates."""
    st.markdown(f"**{page.t('profile.analogues')}**", help=page.t("profile.analogues_help"))
    table = profile.analogues
    if table.empty:
        st.info(page.t("empty.analogues"), icon=":material/info:")
        return
    st.dataframe(
        table[["site_id", "distance", "distance_km", "value"]]
        if page.regression
        else table[["site_id", "distance", "distance_km"]].assign(value=table["value"].map(class_text)),
        hide_index=True,
        key="sites.analogues",
        column_config={
            "site_id": page.t("column.site"),
            "distance": st.column_config.NumberColumn(
                page.t("column.distance"), format="%.2f", help=page.t("column.distance_help")
            ),
            "distance_km": st.column_config.NumberColumn(page.t("column.distance_km"), format="%.0f"),
            "value": st.column_config.NumberColumn(axis_title(page.options.target.name, page.unit), format="%.3f")
            if page.regression
            else page.options.target.name,
        },
    )
    st.caption(page.t("profile.analogues_note"))
