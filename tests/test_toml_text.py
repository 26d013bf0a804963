"""TOML written by hand reads back as it was meant, by the standard library."""

from __future__ import annotations

import math
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alm_core.toml_text import TomlText, toml_comment, toml_key, toml_string, toml_value

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)
SCALARS = st.one_of(st.booleans(), st.integers(-(2**62), 2**62), st.floats(allow_nan=False), TEXT)
VALUES = st.recursive(
    SCALARS, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXT, inner, max_size=3)), max_leaves=8
)


@given(VALUES)
def test_every_value_round_trips(value):
    """Quotes, backslashes, control characters, Chinese, nested tables."""
    assert tomllib.loads(f"x = {toml_value(value)}")["x"] == value


@given(TEXT)
def test_every_key_round_trips(name):
    """Any text can be a key."""
    assert tomllib.loads(f"{toml_key(name)} = 1") == {name: 1}


@given(st.text(max_size=60))
def test_a_comment_is_one_valid_line(text):
    """Whatever is said in a comment, the line after it still counts."""
    assert tomllib.loads(f"{toml_comment(text)}\nx = 1") == {"x": 1}


def test_floats_that_are_no_numbers():
    """NaN and infinities have TOML names."""
    assert math.isnan(tomllib.loads(f"x = {toml_value(float('nan'))}")["x"])
    assert tomllib.loads(f"x = {toml_value([float('inf'), -float('inf')])}")["x"] == [math.inf, -math.inf]


def test_lone_surrogates_become_replacement_characters():
    """A file name in no known encoding must not break the file."""
    assert tomllib.loads(f"x = {toml_string(chr(0xDC80))}")["x"] == "\ufffd"


def test_none_is_refused():
    """TOML has no null."""
    with pytest.raises(TypeError, match="NoneType"):
        toml_value(None)


def test_lines_switched_off_are_comments():
    """A line or a table that is off does not count until someone takes the # away."""
    text = TomlText()
    text.table("a")
    text.line("x", 1, "because")
    text.line("y", [2], "maybe", off=True)
    text.table("b", item=True, off=True)
    assert tomllib.loads(text.text()) == {"a": {"x": 1}}
    assert "# y = [2]  # maybe" in text.text()
    assert "# [[b]]" in text.text()
