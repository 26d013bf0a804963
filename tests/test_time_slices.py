"""Options of time slices: what a study may say, and what is refused with a reason."""

from __future__ import annotations

import tomllib

import pytest

from alm_core.errors import MissingFileError, StudyError
from alm_core.study import Study, parse_options
from tests.sliced_study import COVARIATES, SLICES, write_sliced_study

BASE = """
[study]
name = "s"
[grid]
like = "g.tif"
[sites]
table = "t.csv"
{sites}
[map]
{map}
"""
TWO = (("a", 1980, 1984), ("b", 1985, 1989))


def options(covariates: str, slices=TWO, *, sites: str = "", map: str = "", extra: str = ""):
    """Options of a study with these lines."""
    text = BASE.format(sites=sites, map=map) + extra + "\n[[covariates]]\nname = 'c'\n" + covariates
    text += "".join(f"\n[[slices]]\nname = '{name}'\nfirst_year = {first}\nlast_year = {last}" for name, first, last in slices)
    return parse_options(tomllib.loads(text))


CHANGING = "path = 'c_{slice}.tif'\ngroup = 'climate'"


def test_a_layer_may_change_or_say_why_it_does_not():
    """Paths, bands, reasons; and the last slice stands for the map unless another is named."""
    found = options(CHANGING)
    assert (found.changing, found.main_slice) == (("c",), "b")
    assert options(CHANGING, map="main_slice = 'a'").main_slice == "a"
    assert options("path = 'c.tif'\nband_of_slice = {a = 1, b = 2}\ngroup = 'climate'").changing == ("c",)
    for lines in ("group = 'soil'", "group = 'climate'\nstatic = 'albedo of bare rock'", "period = [1991, 2020]\nstatic = 'why'"):
        assert options(f"path = 'c.tif'\n{lines}").changing == ()
    assert options("path = 'c.tif'\ngroup = 'climate'", ()).main_slice == ""


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ("path = 'c.tif'\ngroup = 'climate'", "one raster of the group climate and would stand for every slice: a climatology"),
        ("path = 'c.tif'\ngroup = 'vegetation'", "a climatology can't show how slices differ"),
        ("path = 'c.tif'\ngroup = 'soil'\nperiod = [1991, 2020]", "a mean of 1991 to 2020"),
        (CHANGING + "\nstatic = 'why'", "remove `static`"),
        (CHANGING + "\nperiod = [1980, 1984]", "remove `period`"),
        (CHANGING + "\nband_of_slice = {a = 1, b = 2}", "give one of them"),
        ("path = 'c.tif'\nband_of_slice = {a = 1, z = 2}", "lacks b and names z, which is no slice"),
        ("path = 'c.tif'\nband_of_slice = {a = 3, b = 3}", "band 3 stands for several slices"),
    ],
)
def test_a_climatology_is_refused_with_the_reason(lines, text):
    """A layer that would show the same in every slice without saying why."""
    with pytest.raises(StudyError, match="covariate c: ") as caught:
        options(lines)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("slices", "text"),
    [
        ([("a", 1980, 1984), ("b", 1984, 1989)], "have the year 1984"),
        ([("a", 1980, 1984), ("b", 1982, 1983)], "have the years 1982 to 1983"),
        ([("a", 1980, 1984), ("b", 1990, 1994)], "no slice has the years 1985 to 1989, between a and b"),
        ([("b", 1985, 1989), ("a", 1980, 1984)], "a stands after b and is earlier"),
        ([("a", 1980, 1984), ("A", 1985, 1989)], "share the name a"),
        ([("a", 1984, 1980)], "they may be swapped"),
        ([("../a", 1980, 1984)], "pattern"),
    ],
)
def test_slices_that_do_not_follow_one_another_are_refused(slices, text):
    """Every year between the first and the last belongs to one slice."""
    with pytest.raises(StudyError, match=text):
        options(CHANGING, slices)


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"map": "main_slice = 'z'"}, "one of a, b is expected"),
        ({"map": "time = '1980/1989'"}, "each map has the years of its slice"),
        ({"sites": "repeats = 'mean'"}, "must not be averaged"),
        ({"extra": "[kriging]\nenabled = true"}, "kriging knows no time"),
        ({"slices": (), "sites": "repeats = 'slice_mean'"}, "the study has no \\[\\[slices\\]\\]: choose mean"),
        ({"slices": (), "map": "main_slice = 'a'"}, "main_slice is 'a', but the study has no"),
        ({"slices": ()}, "has \\{slice\\} in its path or `band_of_slice`, but the study has no"),
    ],
)
def test_what_does_not_go_with_slices_is_refused(changed, text):
    """Options of other sections that contradict the slices, or their absence."""
    with pytest.raises(StudyError, match=text):
        options(CHANGING, **changed)


def test_every_file_of_every_slice_is_an_input(tmp_path):
    """What is hashed and looked for: one role for each raster."""
    path = write_sliced_study(tmp_path)
    files = Study.load(path).input_files()
    assert {role for role in files if role.startswith("covariate")} == {
        "covariate elevation",
        *(f"covariate air {name}" for name, _, _ in SLICES),
    }
    (tmp_path / "air_middle.tif").unlink()
    with pytest.raises(MissingFileError, match=r"covariate air middle: .*air_middle\.tif"):
        Study.load(path)


def test_a_file_with_a_band_for_each_slice_is_one_input(tmp_path):
    """Bands of one file, each the layer of a slice."""
    bands = 'path = "air_early.tif"\nband_of_slice = {early = 1, middle = 2, late = 3}'
    lines = COVARIATES.replace('path = "air_{slice}.tif"', bands)
    study = Study.load(write_sliced_study(tmp_path, covariates=lines))
    assert "covariate air" in study.input_files()
    fields = study.layer_fields(study.options.covariates[1])
    assert fields["slices"]["late"] == (study.file("air_early.tif"), 3)
