"""Reports and the choice of a check by what a file is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from alm_core.checking import Fault, Report, check
from alm_core.errors import MissingFileError

FAULTS = (Fault("b_note", "x", "Note.", "note"), Fault("an_error", "y", "Long. " * 60), Fault("c", "z", "Warn.", "warning"))


def test_errors_come_first_and_columns_are_aligned():
    """Errors, warnings, notes; codes of one width; long messages wrapped."""
    lines = Report(Path("a.tif"), "raster", FAULTS).text().splitlines()
    heads = [line for line in lines if line.startswith("  ") and line[2] != " "]
    assert [line.split()[1] for line in heads] == ["an_error", "c", "b_note"]
    assert {line.index(where) for line, where in zip(heads, "yzx", strict=True)} == {2 + 7 + 2 + 8 + 2}
    assert max(map(len, lines)) <= 130
    assert lines[0] == "a.tif (raster): 1 error, 1 warning, 1 note"


def test_text_fits_a_narrow_terminal():
    """Messages are wrapped at the width that is asked for."""
    wrapped = Report(Path("a.tif"), "raster", FAULTS).text(width=60).splitlines()
    assert max(map(len, wrapped)) <= 60


def test_ok_depends_on_errors_only():
    """Warnings and notes leave a file usable."""
    assert Report(Path("a"), "raster", FAULTS[:1]).ok
    assert Report(Path("a"), "raster", FAULTS[2:]).ok
    assert not Report(Path("a"), "raster", FAULTS).ok


def test_to_dict_is_json():
    """The report survives JSON."""
    values = json.loads(json.dumps(Report(Path("a"), "raster", FAULTS).to_dict()))
    assert values["faults"][0] == FAULTS[1].to_dict()
    assert values["ok"] is False


def test_nothing_there_is_raised(tmp_path):
    """A path with nothing behind it is no report."""
    with pytest.raises(MissingFileError, match="nothing at"):
        check(tmp_path / "none.tif")


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("a.txt", "site,lon,lat\n1,2,3\n4,5,6\n", "table"),
        ("a.txt", "A data set\n\nSome words, and more.\n", "record"),
        ("a.json", '{"type": "FeatureCollection", "features": []}', "table"),
        ("a.json", '{"title": "x"}', "record"),
        ("a.vrt", "<VRTDataset/>", "unknown"),
        ("a.TIF", "no", "raster"),
        ("study.toml", "=", "study"),
    ],
)
def test_kind_is_told_by_name_and_content(tmp_path, name, text, kind):
    """The same suffix can hold a table or a record."""
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert check(path).kind == kind
