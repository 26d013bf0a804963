"""Names made from names of strangers."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as some

from alm_core.uploads import UploadError
from alm_core.uploads.names import checked_suffix, layer_name, shown_name, study_name

HOSTILE = [
    "../../etc/passwd.tif",
    "..\\..\\boot.tif",
    "/abs/dem.tif",
    "a\0b.tif",
    "con.tif",
    "....tif",
    " .tif",
    "²³.tif",
    "a" * 500 + ".tif",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_become_plain_ones(name):
    """No separator, no dot, no device, not too long."""
    assert re.fullmatch(r"[A-Za-z0-9_]{1,50}", layer_name(name))
    assert layer_name(name).lower() not in ("con", "mask")


@given(some.text(max_size=60), some.lists(some.text(max_size=5), max_size=4))
def test_every_name_gives_a_layer_name(text, others):
    """Whatever comes, what results is a plain name unlike those taken."""
    taken = [layer_name(f"{other}.tif") for other in others]
    found = layer_name(f"{text}.tif", taken)
    assert re.fullmatch(r"\w{1,60}", found)
    assert found.casefold() not in {name.casefold() for name in taken}
    assert len(found.encode()) < 240


@given(some.text(max_size=200))
def test_a_shown_name_has_no_markup(text):
    """It can stand in a message."""
    assert not set("<>&[]`*\n\r\0!:/\\\"'$") & set(shown_name(text))
    assert 0 < len(shown_name(text)) < 100


def test_the_suffix_is_the_last_one():
    """Case does not matter, folders with dots neither."""
    assert checked_suffix("a.csv/b.TIF", (".tif",)) == ".tif"
    with pytest.raises(UploadError):
        checked_suffix("a.tif/b", (".tif",))


@given(some.text(max_size=60))
def test_a_study_name_fits_the_study_file(text):
    """Or is refused."""
    try:
        found = study_name(text)
    except UploadError:
        return
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_\-]{0,63}", found)
