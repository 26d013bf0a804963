"""The frame of every page: configuration, navigation, choice of run and language, the mark of simulated data."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from alm_core.options import StudyOptions
from alm_core.workspace import Run, list_runs
from pages.parts.plain_text import shown_title
from pages.parts.words import LANGUAGES, TERMS, Words

ROOT = Path(__file__).resolve().parents[2]
STYLE = ROOT / "assets" / "browser" / "style.css"
ICON = ROOT / "assets" / "browser" / "icon.png"
PAGES = {
    "start": ("app.py", ":material/home:"),
    "sites": ("pages/1_Sites.py", ":material/location_on:"),
    "features": ("pages/2_Features.py", ":material/filter_alt:"),
    "validation": ("pages/3_Cross_validation.py", ":material/fact_check:"),
    "fusion": ("pages/4_Fusion_and_bias.py", ":material/tune:"),
    "map": ("pages/5_Map.py", ":material/map:"),
    "days": ("pages/8_Days.py", ":material/calendar_month:"),
    "report": ("pages/6_Report.py", ":material/description:"),
    "tour": ("pages/7_Tour.py", ":material/route:"),
}
SITES, DAYS, ANY = "sites", "days", "any"
"""What a page shows: runs that learn from sites, runs that map days, or both."""


def workspace() -> Path:
    """Folder of all runs."""
    return Path(os.environ.get("ALM_WORKSPACE", "workspace"))


def studies_folder() -> Path:
    """Folder of the studies that are made in the browser."""
    return Path(os.environ.get("ALM_STUDIES", "studies"))


@dataclass(frozen=True)
class Page:
    """What a page works with.

    Attributes
    ----------
    name : str
    t : Words
        Texts of this page.
    lang : str
    run : Run or None
    options : StudyOptions or None
    """

    name: str
    t: Words
    lang: str
    run: Run | None = None
    options: StudyOptions | None = None

    def c(self, key: str, **values: object) -> str:
        """A text that all pages share."""
        return self.t.common(key, **values)

    @property
    def unit(self) -> str:
        """Unit of the target."""
        return self.options.target.unit if self.options else ""

    @property
    def learners(self) -> tuple[str, ...]:
        """Names of the members in order."""
        return tuple(learner.name for learner in self.options.learners) if self.options else ()

    @property
    def regression(self) -> bool:
        """False for a classification."""
        return self.options is None or self.options.target.task == "regression"

    @property
    def of_days(self) -> bool:
        """True for a run that maps a state of every day."""
        return self.options is not None and self.options.days is not None

    def metrics(self) -> dict[str, Any]:
        """metrics.json of the run."""
        return self.run.metrics()

    def link(self, name: str, *, label: str | None = None, **parameters: str) -> None:
        """A link to another page of the same run; `parameters` are added to its address."""
        path, icon = PAGES[name]
        query = {key: value for key, value in (("run", run_key(self.run)), ("lang", self.lang)) if value}
        st.page_link(path, label=label or self.c(f"nav.{name}"), icon=icon, query_params=query | parameters)


def run_key(run: Run | None) -> str | None:
    """``study/run id``: how an address names a run."""
    return None if run is None else f"{run.folder.parent.name}/{run.id}"


def open_page(name: str, *, needs_run: bool = True, needs: tuple[str, ...] = (), kind: str = SITES) -> Page:
    """Open a page: the first call of its script.

    Parameters
    ----------
    name : str
        Name of its words.
    needs_run : bool
        Stop with an explanation where there is no run.
    needs : tuple of str
        Files of the run without which the page can say nothing, such as ``metrics.json``.
    kind : str
        Which runs it can show; for others it says so, and links to the page that can.
    """
    language = chosen_language()
    words = Words(language, name)
    st.set_page_config(page_title=f"{words('title')} · Active Layer Mapper", page_icon=str(ICON), layout="wide")
    st.html(STYLE)
    runs = list_runs(workspace())
    page = sidebar(Page(name, words, language), runs)
    if page.run is not None and page.run.record["simulated"]:
        st.html(f'<div class="alm-simulated"><b>{page.c("simulated.short")}</b> {page.c("simulated.long")}</div>')
    st.title(words("title"), anchor=False)
    st.caption(words("lead"))
    if needs_run:
        check_run(page, needs, kind)
    return page


def chosen_language() -> str:
    """Language of the switch in the sidebar, at first that of the address; English where it says something else."""
    return seed("lang", tuple(LANGUAGES))


def hold_choice(key: str, options: Sequence[str]) -> None:
    """Keep the choice of a list over a change of language: its widget then holds a label of the other one, which is no option.

    Call it before the widget; the choice before the change comes back.
    """
    held = f"{key}:held"
    found = [value for value in (st.session_state.get(key), st.session_state.get(held)) if value in options]
    # Set also where it is there: the widget would read its own label again.
    st.session_state[key] = st.session_state[held] = found[0] if found else options[0]


def seed(key: str, options: tuple[str, ...]) -> str:
    """Value of a keyed widget with fixed options, before it is drawn; at first, and on a new page, that of the address.

    Streamlit's own binding writes the translated label into the address, which then breaks with the language.
    """
    value = st.session_state.get(key)
    if value not in options:
        asked = st.query_params.get(key)
        value = asked if asked in options else options[0]
    # Set also where it is there: the state of the same widget on the page before is still to be seen, but not taken over.
    st.session_state[key] = value
    return value


def to_address(key: str) -> None:
    """Write the value of a keyed widget into the address, so that a link and a reload restore it."""
    value = st.session_state[key]
    if st.query_params.get(key) != value:
        st.query_params[key] = value


def sidebar(page: Page, runs: list[Run]) -> Page:
    """Draw the sidebar and give the page with its run."""
    with st.sidebar:
        st.html(f'<div class="alm-brand">Active Layer Mapper<span>{page.c("brand")}</span></div>')
        chosen = choose_run(page, runs)
        page = Page(page.name, page.t, page.lang, chosen, read_options(chosen))
        for name in PAGES:
            page.link(name)
        st.segmented_control(
            page.c("language"),
            list(LANGUAGES),
            format_func=LANGUAGES.get,
            required=True,
            key="lang",
            label_visibility="collapsed",
        )
        to_address("lang")
    return page


def choose_run(page: Page, runs: list[Run]) -> Run | None:
    """The run of the address, or the newest that is finished."""
    if not runs:
        return None
    known = {run_key(run): run for run in sorted(runs, key=run_age)}
    titles = {key: run_title(page, run) for key, run in known.items()}
    seed("run", tuple(known))
    key = st.selectbox(page.c("run"), list(known), format_func=titles.get, key="run")
    to_address("run")
    return known[key]


def run_age(run: Run) -> tuple[bool, float]:
    """Finished runs first, the newest of them first."""
    return not run.finished, -(run.folder / "run.json").stat().st_mtime


def run_title(page: Page, run: Run) -> str:
    """How a run is called in the list."""
    record = run.record
    state = "" if run.finished else f" · {page.c('unfinished')}"
    return f"{shown_title(record['title'] or record['study'])} · {run.id[:6]}{state}"


def read_options(run: Run | None) -> StudyOptions | None:
    """Options of the study as they were when it ran."""
    return None if run is None else StudyOptions.model_validate(run.record["options"])


def check_run(page: Page, needs: tuple[str, ...], kind: str = SITES) -> None:
    """Stop the script where there is no run, one of another kind, or one that has not come so far."""
    if page.run is None:
        st.info(page.c("empty.no_run"), icon=":material/info:")
        page.link("start", label=page.c("empty.go_to_start"))
        st.stop()
    if kind != ANY and page.of_days != (kind == DAYS):
        st.info(page.c("empty.of_days" if page.of_days else "empty.of_sites"), icon=":material/info:")
        page.link("days" if page.of_days else "map")
        st.stop()
    missing = [name for name in needs if not (page.run.folder / name).exists()]
    if missing:
        st.info(page.c("empty.unfinished", files=", ".join(missing)), icon=":material/hourglass:")
        page.link("start", label=page.c("empty.go_to_start"))
        st.stop()


def help_box(page: Page, *terms: str) -> None:
    """What the terms of a figure mean, for somebody who is not from the field."""
    words = Words(page.lang, TERMS)
    with st.expander(page.c("what_is_this"), icon=":material/help:"):
        for term in terms:
            st.markdown(f"**{words(f'{term}.name')}** – {words(f'{term}.text')}")


def learner_label(page: Page, name: str) -> str:
    """Display name of a learner, a baseline or the fusion."""
    return label(page, "learner", name)


def scheme_label(page: Page, name: str) -> str:
    """Display name of a validation scheme."""
    return label(page, "scheme", name)


def metric_label(page: Page, name: str) -> str:
    """Display name of a score."""
    return label(page, "metric", name)


def layer_label(page: Page, name: str) -> str:
    """Display name of a layer id of the catalogue, such as ``member:random_forest``."""
    kind, _, rest = name.partition(":")
    if not rest:
        return label(page, "layer", name)
    shown = learner_label(page, rest) if kind == "member" else rest.replace("_", " ")
    return f"{label(page, 'layer', kind)}: {shown}"


def label(page: Page, table: str, name: str) -> str:
    """Text of a machine name in a table of the common words; the name itself, with spaces, where there is none."""
    return page.t.common(f"{table}.{name}") if _has(page, f"{table}.{name}") else name.replace("_", " ")


def _has(page: Page, key: str) -> bool:
    return Words(page.lang, "common").get(key) is not None
