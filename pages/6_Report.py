"""Everything that goes out with the map: card, citation, provenance, catalogue item, files."""

from __future__ import annotations

import streamlit as st

from alm_core.errors import AlmError
from pages.parts.frame import open_page
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

page = open_page("report")
try:
    views = [name for name in VIEWS if name != "time" or has_time(page)]
    names = {name: page.t(f"views.{name}") for name in views}
    VIEWS[choose_segment(page.t("view"), views, key="report_view", names=names.get, label_visibility="collapsed")](page)
except AlmError as fault:
    st.error(str(fault))
