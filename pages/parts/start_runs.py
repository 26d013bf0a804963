"""Runs on the start page, one card each: how good, what the map looks like, where to go on."""

from __future__ import annotations

from html import escape

import streamlit as st
from PIL import Image

from alm_core.errors import AlmError
from alm_core.inspection.days import day_maps
from alm_core.inspection.run_overview import RunOverview, Score, run_overviews
from alm_core.jobs.study_runs import running_studies
from alm_core.serving.day_pictures import day_picture
from alm_core.serving.urls import card_url, day_picture_url, thumbnail_url
from alm_core.workspace import Run
from pages.parts.durations import moment
from pages.parts.frame import ROOT, Page, scheme_label, workspace
from pages.parts.job_panel import run_links
from pages.parts.numbers import fixed, interval_text, percent, with_unit
from pages.parts.plain_text import plain_text, shown_title
from pages.parts.start_studies import start_run
from pages.parts.words import Words

STYLE = ROOT / "assets" / "browser" / "start.css"
FIRST_CARDS = 6


def runs_part(page: Page) -> None:
    """Cards of all runs, newest first; older ones are folded away."""
    overviews = run_overviews(workspace())
    st.subheader(page.t("runs.title"), anchor=False)
    if not overviews:
        st.info(page.t("runs.none"), icon=":material/info:")
        return
    working = running_studies(workspace())
    for found in overviews[:FIRST_CARDS]:
        run_card(page, found, working)
    if overviews[FIRST_CARDS:]:
        with st.expander(page.t("runs.older", count=len(overviews) - FIRST_CARDS)):
            for found in overviews[FIRST_CARDS:]:
                run_card(page, found, working)


def run_card(page: Page, found: RunOverview, working: dict[str, str]) -> None:
    """One run."""
    with st.container(border=True, key=f"alm-run-{found.id.replace('/', '-')}"):
        if found.fault:
            st.error(plain_text(found.fault))
        elif found.finished:
            _finished(page, found)
        else:
            _unfinished(page, found, working)


def _head(page: Page, found: RunOverview) -> None:
    mark = f'<span class="alm-mark">{escape(page.t("runs.simulated"))}</span>' if found.simulated else ""
    when = f"{page.c('run')} {found.id.rpartition('/')[2][:6]} · {moment(found.changed)}"
    title = f'<div class="alm-card-title">{escape(shown_title(found.title))} {mark}</div>'
    st.html(f'{title}<div class="alm-card-note">{escape(when)}</div>')


def _finished(page: Page, found: RunOverview) -> None:
    left, right = st.columns(2, gap="medium")
    with left:
        (_day_picture if found.days else _thumbnail)(page, found)
    with right:
        _head(page, found)
        st.caption(scored_text(page, found))
        st.html(scores_html(page, found))
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        run_links(page, found.id, of_days=bool(found.days))
        if found.card is not None:
            st.link_button(page.t("runs.card"), card_url(Run(found.card.parent)), icon=":material/description:", type="tertiary")


def scored_text(page: Page, found: RunOverview) -> str:
    """What the scores rest on."""
    if not found.days:
        return page.t("runs.scored", scheme=scheme_label(page, found.scheme), sites=found.sites or 0)
    scheme = Words(page.lang, "days").get(f"scheme.{found.scheme}") or scheme_label(page, found.scheme)
    first, last = found.days
    return page.t("runs.scored_days", first=first, last=last, scheme=scheme, count=f"{found.sites or 0:,}")


def _thumbnail(page: Page, found: RunOverview) -> None:
    if found.thumbnail is None:
        st.caption(page.t("runs.no_picture"))
        return
    address = thumbnail_url(Run(found.thumbnail.parents[1]))
    alt = escape(page.t("runs.picture", title=found.title))
    # The shape is told before the picture is there, so that nothing moves when it comes.
    with Image.open(found.thumbnail) as picture:
        shape = f"aspect-ratio: {picture.width} / {picture.height}"
    st.html(f'<img class="alm-thumbnail" style="{shape}" src="{escape(address)}" alt="{alt}">')


def _day_picture(page: Page, found: RunOverview) -> None:
    run = Run(workspace() / found.id)
    try:
        rows, columns = day_picture(day_maps(run)).shape
        address = day_picture_url(run)
    except AlmError:
        st.caption(page.t("runs.no_picture"))
        return
    alt = escape(page.t("runs.picture", title=found.title))
    shape = f"aspect-ratio: {columns} / {rows}"
    st.html(f'<img class="alm-thumbnail" style="{shape}" src="{escape(address)}" alt="{alt}">')
    st.caption(page.t("runs.picture_days"))


def scores_html(page: Page, found: RunOverview) -> str:
    """Every score with its interval and what it means in plain words."""
    parts = []
    for score in found.scores:
        value, span, plain = score_texts(page, found, score)
        label = page.t(f"score.{score.name}")
        parts.append(
            f'<div class="alm-score"><span>{escape(label)}</span><b>{escape(value)}</b>'
            f"<i>{escape(span) or '&nbsp;'}</i><p>{escape(plain)}</p></div>"
        )
    return f'<div class="alm-scores">{"".join(parts)}</div>'


def score_texts(page: Page, found: RunOverview, score: Score) -> tuple[str, str, str]:
    """Value, interval and plain words of a score."""
    span = "" if score.low is None else interval_text(score.low, score.high, digits=2)
    if score.name == "r2":
        plain = page.t("plain.r2", part=percent(score.value)) if score.value > 0 else page.t("plain.r2_none")
        return fixed(score.value), span, plain
    if score.name == "rmse":
        return with_unit(score.value, score.unit, 2), span, page.t("plain.rmse")
    if score.name == "picp":
        return percent(score.value), page.t("score.nominal", level=percent(found.level)), page.t("plain.picp")
    if score.name == "overall_accuracy":
        span = span and interval_percent(score)
        return percent(score.value), span, page.t("plain.day_accuracy" if found.days else "plain.overall_accuracy")
    return fixed(score.value), span, page.t("plain.kappa")


def interval_percent(score: Score) -> str:
    """Bounds of a score in per cent."""
    return f"{percent(score.low)} – {percent(score.high)}"


def _unfinished(page: Page, found: RunOverview, working: dict[str, str]) -> None:
    _head(page, found)
    if found.study_file in working:
        st.info(page.t("runs.working"), icon=":material/hourglass:")
        return
    stage = Words(page.lang, "jobs").get(f"stage.{found.next_stage}") or found.next_stage
    st.caption(page.t("runs.stopped", done=found.stages_done, stages=found.stages, stage=stage))
    if found.study_file:
        if st.button(page.t("runs.go_on"), key=f"go-on-{found.id}", icon=":material/play_arrow:"):
            start_run(page, found.study_file, found.title)
    else:
        st.caption(page.t("runs.no_study"))
