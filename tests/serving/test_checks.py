"""What comes from a URL is read strictly."""

from __future__ import annotations

import math

import pytest

from alm_core.serving.checks import RequestError, display_range, number, share, tile_address, weights, whole_number

HOSTILE_NUMBERS = ["", " ", "nan", "NaN", "inf", "-inf", "Infinity", "1e400", "0x10", "1_000", "١", "1,2", "1e", "--1", "9" * 500]


@pytest.mark.parametrize("text", HOSTILE_NUMBERS)
def test_a_number_is_finite_and_plain(text):
    """Everything else is refused with what came."""
    with pytest.raises(RequestError, match="low is"):
        number(text, "low")


@pytest.mark.parametrize(("text", "value"), [("0", 0.0), ("-1.5", -1.5), ("+2", 2.0), (".5", 0.5), ("5.", 5.0), ("1e-3", 0.001)])
def test_plain_numbers_are_read(text, value):
    """As Python writes them."""
    assert number(text, "low") == value


@pytest.mark.parametrize(
    "address",
    [
        ("17", "0", "0"),
        ("3", "8", "0"),
        ("3", "0", "8"),
        ("-1", "0", "0"),
        ("1.0", "0", "0"),
        ("9" * 5000, "0", "0"),
        ("٣", "0", "0"),
    ],
)
def test_tiles_that_no_map_has_are_refused(address):
    """Zoom 0 to 16, columns and rows below 2 ** zoom, digits of ASCII only."""
    with pytest.raises(RequestError):
        tile_address(*address)


def test_the_last_tile_is_served():
    """The range is closed."""
    assert tile_address("16", "65535", "65535") == (16, 65535, 65535)


@pytest.mark.parametrize("text", [None, "", "1", "1,2,3", "1,-1", "0,0", "nan,1", "inf,1", "1e308,1e308", "1,2;3", ",", "1,"])
def test_weights_are_as_many_as_learners_and_not_all_zero(text):
    """Finite, from 0 on."""
    with pytest.raises(RequestError):
        weights(text, ["forest", "boosted"])


def test_weights_sum_to_one():
    """Whatever their size."""
    assert weights("0,1e300", ["forest", "boosted"]) == (0.0, 1.0)
    assert math.isclose(sum(weights("0.1,0.7", ["forest", "boosted"])), 1)


@pytest.mark.parametrize(("low", "high"), [("1", "1"), ("2", "1"), ("-1e308", "1e308"), ("0", "1e-320")])
def test_a_range_has_a_width_that_can_be_divided_by(low, high):
    """low < high, and neither overflow nor underflow."""
    with pytest.raises(RequestError):
        display_range(low, high, (0.0, 1.0))


def test_a_half_given_range_takes_the_rest_from_the_layer():
    """Only what was given changes."""
    assert display_range("0.5", None, (0.0, 1.0)) == (0.5, 1.0)
    with pytest.raises(RequestError, match="smaller"):
        display_range("2", None, (0.0, 1.0))


def test_shares_and_widths_stay_in_range():
    """0 to 1, and whole numbers between their ends."""
    assert share("1", "lambda") == 1.0
    with pytest.raises(RequestError, match="0 to 1"):
        share("1.01", "lambda")
    assert whole_number(None, "width", default=1200, low=64, high=2400) == 1200
    with pytest.raises(RequestError, match="64 to 2400"):
        whole_number("100000", "width", default=1200, low=64, high=2400)
