"""Palettes: size, lightness, names."""

from __future__ import annotations

import numpy as np
import pytest

from alm_core.palettes import DIVERGING, PALETTES, SEQUENTIAL, category_colour, colours, css_gradient, is_diverging, rgb


def lightness(table: np.ndarray) -> np.ndarray:
    """CIELAB L* of sRGB colours ``[any, 3]`` from 0 to 255."""
    share = table / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    y = linear @ np.array([0.2126, 0.7152, 0.0722])
    return np.where(y > 0.008856, 116 * np.cbrt(y) - 16, 903.3 * y)


@pytest.mark.parametrize("name", PALETTES)
def test_every_palette_has_256_colours_of_many_kinds(name):
    """Right shape and type, read-only, hardly a colour twice."""
    table = colours(name)
    assert table.shape == (256, 3)
    assert table.dtype == np.uint8
    assert len(np.unique(table, axis=0)) > 200
    with pytest.raises(ValueError, match="read-only"):
        table[0] = 0


@pytest.mark.parametrize("name", SEQUENTIAL)
def test_sequential_palettes_get_lighter_or_darker_all_the_way(name):
    """Monotone lightness (to the rounding of a byte), evenly spread: no step is more than four times the mean."""
    steps = np.diff(lightness(colours(name).astype(float)))
    steps = steps if steps.sum() > 0 else -steps
    assert steps.min() > -0.5
    assert steps.sum() > 50
    smooth = np.convolve(steps, np.ones(9) / 9, "valid")
    assert smooth.min() > 0
    assert smooth.max() < 4 * smooth.mean()


@pytest.mark.parametrize("name", DIVERGING)
def test_diverging_palettes_turn_in_the_middle(name):
    """Both ends are alike in lightness and the middle is much lighter."""
    found = lightness(colours(name).astype(float))
    assert abs(found[0] - found[-1]) < 15
    assert found[128] > max(found[0], found[-1]) + 40
    assert is_diverging(name)


def test_reversed_palettes_run_the_other_way():
    """The same colours from the end."""
    np.testing.assert_array_equal(colours("lapaz_r"), colours("lapaz")[::-1])


def test_an_unknown_palette_lists_the_known_ones():
    """By name."""
    with pytest.raises(KeyError, match="batlow"):
        colours("jet")


def test_a_gradient_begins_and_ends_with_the_palette():
    """CSS text with the colours of both ends."""
    first, last = (f"#{''.join(f'{part:02x}' for part in colours('deep')[end])}" for end in (0, -1))
    text = css_gradient("deep")
    assert text.startswith(f"linear-gradient(to right, {first} 0.0%")
    assert text.endswith(f"{last} 100.0%)")


def test_class_colours_differ():
    """Sixteen colours before the list starts again."""
    assert len({rgb(category_colour(position)) for position in range(16)}) == 16
