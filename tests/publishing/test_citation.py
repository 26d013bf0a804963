"""How to cite a map."""

from __future__ import annotations

import re
import shutil

import pytest

from alm_core.publishing.citation import cite, find_dois
from alm_core.workspace import Run, write_json


@pytest.fixture
def changed(dashboard_run, tmp_path):
    """Give a run with other options."""

    def make(**study):
        record = dashboard_run.record
        record["options"]["study"] |= study
        record["options"]["covariates"][0]["source"] = "SRTM, https://doi.org/10.5066/F7PR7TFT."
        record["options"]["covariates"][1]["source"] = "simulated"
        shutil.copy(dashboard_run.folder / "stac.json", tmp_path)
        write_json(tmp_path / "run.json", record)
        return Run.open(tmp_path)

    return make


@pytest.mark.parametrize(("language", "mark"), [("en", "[SIMULATED DATA]"), ("zh", "【模拟数据】")])
def test_both_languages_hold_run_date_version_and_the_mark(dashboard_run, language, mark):
    """What a reader needs to find this very map."""
    text = cite(dashboard_run).text[language]
    assert text.startswith(mark)
    assert dashboard_run.id in text
    assert re.search(r"\d{4}-\d{2}-\d{2}", text)
    assert dashboard_run.record["versions"]["alm_core"] in text
    assert "Active Layer Mapper" in text
    assert "CC-BY-4.0" in text


def test_observed_data_bear_no_mark(changed):
    """Only simulated data do."""
    citation = cite(changed(simulated=False))
    assert not any("SIMULATED" in text or "模拟" in text for text in (*citation.text.values(), citation.bibtex, citation.ris))


def test_the_study_and_its_sources_are_cited(changed):
    """Citation of the study, sources of the layers, their DOIs; "simulated" is no source."""
    citation = cite(changed(citation="Smith (2020), doi:10.1000/xyz-1."))
    assert citation.dois == ("10.1000/xyz-1", "10.5066/F7PR7TFT")
    assert "Smith (2020)" in citation.text["en"]
    assert "SRTM" in citation.text["zh"]
    assert "Covariates: SRTM, https://doi.org/10.5066/F7PR7TFT. Licence" in citation.text["en"]
    assert citation.sources["SRTM, https://doi.org/10.5066/F7PR7TFT."] == ("elevation",)


def test_bibtex_is_whole_and_escaped(changed):
    """One entry, braces in balance, special letters escaped."""
    run = changed(title="50 % of {it} & more_")
    text = cite(run).bibtex
    assert text.startswith(f"@misc{{{run.record['options']['study']['name']}-{run.id},")
    plain = text.replace(r"\{", "").replace(r"\}", "")
    assert plain.count("{") == plain.count("}")
    assert r"title = {50 \% of \{it\} \& more\_}" in text
    assert "SIMULATED DATA" in text


def test_ris_has_a_beginning_and_an_end(dashboard_run):
    """One tag a line."""
    lines = cite(dashboard_run).ris.split("\r\n")
    assert lines[0] == "TY  - DATA"
    assert lines[-2] == "ER  - "
    assert all(re.match(r"[A-Z][A-Z0-9]  - ", line) for line in lines[:-1])
    assert any(dashboard_run.id in line for line in lines)


def test_dois_end_where_the_sentence_does():
    """No full stop, bracket or comma belongs to one; each is given once."""
    assert find_dois("(10.1234/ab.c), 10.1234/ab.c. https://doi.org/10.5555/x_y-z;") == ("10.1234/ab.c", "10.5555/x_y-z")
    assert find_dois("version 10.2 of 2020") == ()
