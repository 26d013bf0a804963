"""How to cite the map, and what to cite with it."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from alm_core.publishing.citation import SOFTWARE, Citation, cite
from alm_core.publishing.provenance import created, software_version
from pages.parts.columns import narrow_columns
from pages.parts.frame import Page


def citation_view(page: Page) -> None:
    """Sentences to copy, records to download, and the list of what belongs into the references."""
    citation = cite(page.run)
    st.subheader(page.t("citation.title"), anchor=False)
    if page.options.study.simulated:
        st.warning(page.t("citation.simulated"), icon=":material/science:")
    languages = ("en", "zh") if page.lang == "en" else ("zh", "en")
    names = {"en": page.t("citation.english"), "zh": page.t("citation.chinese")}
    for language in languages:
        st.markdown(f"**{names[language]}**")
        st.code(citation.text[language], language=None, wrap_lines=True)
    st.caption(page.t("citation.note"))
    download_row(page, citation)
    what_to_cite(page, citation)


def download_row(page: Page, citation: Citation) -> None:
    """The citation as files."""
    stem = f"{page.options.study.name}-{page.run.id}"
    plain = "\n\n".join(citation.text.values()) + "\n"
    offers = (
        (page.t("citation.bibtex"), citation.bibtex, "bib", "application/x-bibtex"),
        (page.t("citation.ris"), citation.ris, "ris", "application/x-research-info-systems"),
        (page.t("citation.text"), plain, "txt", "text/plain"),
    )
    for column, (label, text, suffix, kind) in zip(narrow_columns("citation-files").columns(3), offers, strict=True):
        name = f"{stem}.{suffix}"
        column.download_button(
            label, text, file_name=name, mime=kind, icon=":material/download:", width="stretch", on_click="ignore"
        )


def what_to_cite(page: Page, citation: Citation) -> None:
    """Study, program, run, sources of the covariates and their DOIs."""
    st.subheader(page.t("citation.what_title"), anchor=False)
    study = page.options.study.citation or page.t("citation.what_study_none")
    lines = [
        f"- **{page.t('citation.what_study')}**: {study}",
        f"- **{page.t('citation.what_software')}**: {SOFTWARE} {software_version(page.run)}",
        f"- **{page.t('citation.what_run')}**: {page.run.id}, {created(page.run)[:10]}",
        f"- **{page.t('citation.what_sources')}**" + ("" if citation.sources else f": {page.t('citation.what_sources_none')}"),
    ]
    st.markdown("\n".join(lines))
    if citation.sources:
        rows = [(source, ", ".join(names)) for source, names in citation.sources.items()]
        table = pd.DataFrame(rows, columns=[page.t("citation.source"), page.t("citation.layers")])
        st.dataframe(table, hide_index=True, width="stretch")
    if citation.dois:
        st.markdown(f"**{page.t('citation.dois')}**")
        st.code("\n".join(f"https://doi.org/{doi}" for doi in citation.dois), language=None)
