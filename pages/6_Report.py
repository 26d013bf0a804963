"""Everything that goes out with the map: card, citation, provenance, catalogue item, files."""

from __future__ import annotations

import streamlit as st

from alm_core.errors import AlmError
from pages.parts.frame import ANY, Page, open_page
from pages.parts.report_citation import citation_view
from pages.parts.report_files import card_view, catalogue_view, files_view
from pages.parts.report_provenance import provenance_view
from pages.parts.report_time import has_time, time_view
from pages.parts.validation_choice import choose_segment

VIEWS = {
    "card": card_view,
    "time": time_view,
    "citation": citation_view,
    "provenance": provenance_view,
    "catalogue": catalogue_view,
    "files": files_view,
}

OF_DAYS = ("citation", "provenance")
"""What a run of days has; its files are on its own page."""


def views_of(page: Page) -> list[str]:
    """The parts that a run has something for."""
    if page.of_days:
        return list(OF_DAYS)
    return [name for name in VIEWS if name != "time" or has_time(page)]


page = open_page("report", kind=ANY)
if page.of_days:
    st.info(page.t("of_days"), icon=":material/info:")
    page.link("days")
try:
    views = views_of(page)
    names = {name: page.t(f"views.{name}") for name in views}
    VIEWS[choose_segment(page.t("view"), views, key="report_view", names=names.get, label_visibility="collapsed")](page)
except AlmError as fault:
    st.error(str(fault))
