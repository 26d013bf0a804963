"""The sites that are chosen on the page: picked in one figure, shown in all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from pages.parts.frame import Page, run_key
from pages.parts.site_map import picked_sites

CHARTS, TABLE = "charts", "table"


def state(page: Page) -> dict[str, Any]:
    """The choice of this run: `ids`, and for the table `generation` and `first` (ids that it shows on top)."""
    return st.session_state.setdefault(f"sites.selection.{run_key(page.run)}", {"ids": (), "generation": 0, "first": ()})


def chosen_sites(page: Page) -> tuple[str, ...]:
    """Ids of the chosen sites, in the order picked."""
    return tuple(state(page)["ids"])


def choose_sites(page: Page, ids: Sequence[str], *, source: str = CHARTS) -> None:
    """Choose sites. Picked elsewhere than in the table, the table starts anew with them on top."""
    now = state(page)
    now["ids"] = tuple(ids)
    if source != TABLE:
        now["generation"] += 1
        now["first"] = tuple(ids)
    if ids:
        st.session_state[site_key(page)] = ids[0]


def site_key(page: Page) -> str:
    """Key of the box that says which site is shown in detail."""
    return f"sites.site.{run_key(page.run)}"


def take_from_chart(page: Page, key: str) -> None:
    """A figure was clicked or drawn on."""
    choose_sites(page, picked_sites(st.session_state[key]))


def take_from_table(page: Page, key: str, ids: Sequence[str]) -> None:
    """Rows of the table were marked; `ids` are those of its rows."""
    rows = st.session_state[key]["selection"]["rows"]
    choose_sites(page, [ids[row] for row in rows if row < len(ids)], source=TABLE)
