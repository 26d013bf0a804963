"""PNG and codes."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from alm_core.palettes import colours
from alm_core.serving.images import class_codes, codes, empty_png, palette_chunks, plain_chunks, png
from tests.serving.pictures import rgba


@pytest.mark.parametrize("shape", [(256, 256), (1, 1), (3, 700)])
def test_a_png_reads_back_as_it_was_written(shape):
    """By another library, every code in its colour."""
    picture = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    content = png(picture, palette_chunks("batlow"))
    Image.open(io.BytesIO(content)).verify()
    found = rgba(content)
    np.testing.assert_array_equal(found[..., :3][picture > 0], colours("batlow")[picture[picture > 0]])
    np.testing.assert_array_equal(found[..., 3], np.where(picture == 0, 0, 255))


def test_codes_are_rounded_to_the_nearest_of_255():
    """Half a step at most, held at the ends, 0 for nothing; infinite values are at the ends."""
    values = np.linspace(0.1, 0.5, 10_001)
    found = codes(values, 0.1, 0.5)
    step = 0.4 / 254
    assert np.abs(0.1 + (found - 1.0) * step - values).max() <= step / 2 + 1e-12
    assert (found.min(), found.max()) == (1, 255)
    assert codes(np.array([np.inf, -np.inf, np.nan]), 0, 1).tolist() == [255, 1, 0]


def test_classes_keep_their_place_and_strangers_are_marked():
    """First, second, and what is neither."""
    assert class_codes(np.array([[2.0, 5.0, 3.0, np.nan, 99.0]]), (2, 5)).tolist() == [[1, 2, 3, 0, 3]]
    assert class_codes(np.array([2.0, np.nan]), ()).tolist() == [1, 0]


def test_opacity_is_written_as_far_as_it_is_needed():
    """Half transparent colours come back so; the empty tile shows nothing."""
    content = png(np.array([[0, 1, 2]], np.uint8), plain_chunks([(1, 2, 3, 255), (9, 9, 9, 100), (4, 5, 6, 255)]))
    assert rgba(content)[0].tolist() == [[1, 2, 3, 255], [9, 9, 9, 100], [4, 5, 6, 255]]
    assert not rgba(empty_png())[..., 3].any()
