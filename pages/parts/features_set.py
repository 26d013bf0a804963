"""A set of covariates picked by hand: scored as a job, shown beside the chosen set, kept with the run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from alm_core.errors import AlmError
from alm_core.inspection.feature_set import FeatureSetScore, chosen_set, default_schemes, delete_set, load_set, set_key
from alm_core.jobs import submit
from pages.parts.charts import CATEGORY_COLOURS, COLOURS, show
from pages.parts.features_data import covariate_names, difference, kept_sets
from pages.parts.features_elimination import group_label, names_text, shown
from pages.parts.frame import Page, help_box, metric_label, run_key, scheme_label, workspace
from pages.parts.job_panel import job_panel
from pages.parts.numbers import fixed
from pages.parts.plain_text import plain_text

MOST_ROWS = 12


def main_metric(page: Page) -> str:
    """The score that sets are compared by."""
    return "r2" if page.regression else "overall_accuracy"


def draw_set(page: Page) -> None:
    """Pick, score, compare."""
    help_box(page, "nested", "knndm")
    st.caption(page.t("set.lead"))
    groups, chosen = covariate_names(page.run), chosen_set(page.run)
    key = f"features.set.{run_key(page.run)}"
    st.session_state.setdefault(key, list(chosen))
    picked = st.multiselect(
        page.t("set.pick"),
        list(groups),
        key=key,
        format_func=lambda name: f"{shown(name)} · {group_label(page, groups[name])}",
        placeholder=page.t("set.none"),
        persist_state="session",
    )
    features = tuple(sorted(picked))
    known = load_set(page.run, features) is not None
    with st.container(horizontal=True):
        score_button(page, features, disabled=not features or known)
        st.button(page.t("set.chosen"), key="features.take_chosen", on_click=set_state, args=(key, chosen))
        st.button(page.t("set.all"), key="features.take_all", on_click=set_state, args=(key, tuple(groups)))
    schemes = ", ".join(scheme_label(page, name) for name in default_schemes(page.options))
    st.caption(page.t("set.known") if known else page.t("set.note", schemes=schemes))
    if "job" in st.query_params:
        job_panel(page, st.query_params["job"], on_done=lambda state: say_done(page))
    draw_results(page)


def set_state(key: str, names: tuple[str, ...]) -> None:
    """Put names into the box."""
    st.session_state[key] = list(names)


def score_button(page: Page, features: tuple[str, ...], *, disabled: bool) -> None:
    """Start the job."""
    label, icon = page.t("set.score"), ":material/play_arrow:"
    if st.button(label, key="features.score", type="primary", icon=icon, disabled=disabled):
        title, workers = page.t("set.job", count=len(features)), page.options.map.workers
        spec = {"run": run_key(page.run), "features": list(features), "title": title, "workers": workers}
        try:
            st.query_params["job"] = submit(workspace(), "score_set", **spec).id
        except AlmError as fault:
            st.error(plain_text(str(fault)))


def say_done(page: Page) -> None:
    """The job has ended."""
    st.caption(page.t("set.done"))


# ---- results ----------------------------------------------------------------------------------------------------------------


def draw_results(page: Page) -> None:
    """Every set that was scored, beside the chosen one."""
    try:
        sets = kept_sets(page.run)
    except AlmError as fault:
        st.error(plain_text(str(fault)))
        return
    if not sets:
        st.info(page.t("empty.sets"), icon=":material/info:")
        return
    reference = next((found for found in sets if found.key == set_key(chosen_set(page.run))), None)
    others = [found for found in sets if found is not reference][:MOST_ROWS]
    st.markdown(f"**{page.t('set.results')}**", help=page.t("set.results_help"))
    st.dataframe(result_table(page, others, reference), hide_index=True, key="features.results", column_config=settings(page))
    if reference is not None and others:
        show(difference_figure(page, others, reference), key="features.differences", height=130 + 46 * len(others))
        st.caption(page.t("set.difference_note", metric=metric_label(page, main_metric(page))))
    delete_panel(page, list(sets))


def result_table(page: Page, others: list[FeatureSetScore], reference: FeatureSetScore | None) -> pd.DataFrame:
    """The run itself, the chosen set scored the same way, and every other set."""
    rows = []
    if (page.run.folder / "metrics.json").is_file():
        rows.append(run_row(page))
    if reference is not None:
        rows.append(set_row(page, reference, page.t("set.chosen_fixed"), None))
    chosen = chosen_set(page.run)
    rows += [set_row(page, found, change_name(found.features, chosen), reference) for found in others]
    return pd.DataFrame(rows)


def run_row(page: Page) -> dict[str, Any]:
    """The score of the run; with a nested selection its folds had to find their sets themselves."""
    metrics = page.metrics()
    scores = {scheme: columns["fused"].get(main_metric(page)) for scheme, columns in metrics["schemes"].items()}
    name = page.t("set.run_nested") if metrics["selection_nested"] else page.t("set.run")
    shared = {"name": name, "count": len(chosen_set(page.run)), "difference": "", "verdict": ""}
    return {**shared, **{scheme: scores.get(scheme) for scheme in default_schemes(page.options)}}


def set_row(page: Page, found: FeatureSetScore, name: str, reference: FeatureSetScore | None) -> dict[str, Any]:
    """The scores of a set and its difference to the chosen one."""
    gain = difference(found, reference, found.headline) if reference is not None else None
    return {
        "name": name,
        "count": len(found.features),
        "difference": "" if gain is None else f"{gain.mean:+.3f} ± {fixed(gain.standard_error, 3)}".replace("-", "−"),
        "verdict": "" if gain is None else verdict(page, gain.mean, gain.clear),
        **{scheme: found.score(scheme, main_metric(page)) for scheme in default_schemes(page.options)},
    }


def verdict(page: Page, mean: float, clear: bool) -> str:
    """A difference in words."""
    if not clear:
        return page.t("set.alike")
    return page.t("set.better") if mean > 0 else page.t("set.worse")


def change_name(features: tuple[str, ...], chosen: tuple[str, ...]) -> str:
    """What a set has more and less than the chosen one."""
    more, less = [name for name in features if name not in chosen], [name for name in chosen if name not in features]
    parts = [f"+ {names_text(more)}"] * bool(more) + [f"− {names_text(less)}"] * bool(less)
    return "; ".join(parts)


def settings(page: Page) -> dict[str, Any]:
    """Headings and digits."""
    metric = metric_label(page, main_metric(page))
    numbers = {
        scheme: st.column_config.NumberColumn(f"{metric}, {scheme_label(page, scheme)}", format="%.3f")
        for scheme in default_schemes(page.options)
    }
    return {
        "name": st.column_config.TextColumn(page.t("set.name"), width="medium", pinned=True),
        "count": st.column_config.NumberColumn(page.t("set.count"), width="small"),
        **numbers,
        "difference": st.column_config.TextColumn(page.t("set.difference"), help=page.t("set.difference_help")),
        "verdict": st.column_config.TextColumn(page.t("set.verdict")),
    }


def difference_figure(page: Page, others: list[FeatureSetScore], reference: FeatureSetScore) -> go.Figure:
    """Difference to the chosen set with twice its standard error, for each scheme."""
    chosen = chosen_set(page.run)
    names = [wrapped(change_name(found.features, chosen)) for found in others]
    figure = go.Figure()
    schemes = default_schemes(page.options)
    for position, scheme in enumerate(schemes):
        gains = [difference(found, reference, scheme) for found in others]
        figure.add_scatter(
            x=[np.nan if gain is None else gain.mean for gain in gains],
            y=[row + (position - (len(schemes) - 1) / 2) * 0.22 for row in range(len(others))],
            mode="markers",
            name=scheme_label(page, scheme),
            marker={"size": 9, "color": CATEGORY_COLOURS[position]},
            error_x={
                "type": "data",
                "array": [np.nan if gain is None else 2 * gain.standard_error for gain in gains],
                "thickness": 1.6,
            },
            hovertemplate="%{x:+.3f}<extra></extra>",
        )
    figure.add_vline(x=0, line={"color": COLOURS["reference"], "width": 1.5})
    figure.update_layout(
        xaxis_title=page.t("set.difference_axis", metric=metric_label(page, main_metric(page))),
        yaxis={"tickvals": list(range(len(others))), "ticktext": names, "range": [len(others) - 0.5, -0.5]},
    )
    return figure


def wrapped(text: str, width: int = 46) -> str:
    """A long name cut to a width; the table has it in full."""
    return text if len(text) <= width else f"{text[: width - 1]}…"


def delete_panel(page: Page, sets: list[FeatureSetScore]) -> None:
    """Forget a scored set."""
    chosen = chosen_set(page.run)
    names = {found.key: change_name(found.features, chosen) or page.t("set.chosen_fixed") for found in sets}
    with st.popover(page.t("set.delete"), icon=":material/delete:"):
        key = st.selectbox(page.t("set.which"), list(names), format_func=names.get, key="features.delete_which")
        st.button(page.c("delete"), key="features.delete", on_click=forget, args=(page, key))


def forget(page: Page, key: str) -> None:
    """Delete a kept set; one that is gone already is no fault."""
    if any(found.key == key for found in kept_sets(page.run)):
        delete_set(page.run, key)
