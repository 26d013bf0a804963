"""Block files: every bit comes back, and no damage goes unseen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from alm_core.errors import LedgerError
from alm_core.mapping.block_file import encode_block, holds_nothing, nothing, read_facts, read_layers


def content_of(values, **facts):
    """The whole file as bytes."""
    return b"".join(encode_block(values, facts))


@settings(max_examples=60, deadline=None)
@given(arrays(np.uint32, st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(1, 9))))
def test_every_number_comes_back(bits):
    """Any bits: infinities, tiny numbers, both zeros; NaN comes back as NaN."""
    values = bits.view(np.float32)
    found = read_layers(content_of(values), range(len(values)))
    missing = np.isnan(values)
    np.testing.assert_array_equal(np.isnan(found), missing)
    np.testing.assert_array_equal(found.view(np.uint32)[~missing], bits[~missing])


def test_layers_are_read_alone_and_in_any_order():
    """One layer, or some turned round; a layer that is NaN where others are not stays so."""
    values = np.random.default_rng(0).normal(size=(3, 40, 50)).astype(np.float32)
    values[:, :20] = np.nan
    values[1, 30:] = np.nan
    content = content_of(values)
    np.testing.assert_array_equal(read_layers(content, [1]), values[[1]])
    np.testing.assert_array_equal(read_layers(content, [2, 0]), values[[2, 0]])


def test_a_block_without_values_takes_no_room():
    """The same small file, whether NaN is written out or repeated; what comes back is NaN without memory of its own."""
    shape = (10, 512, 512)
    files = [content_of(np.full(shape, np.nan, np.float32), cells=5), content_of(nothing(shape), cells=5)]
    assert files[0] == files[1]
    assert len(files[0]) < 200
    found = read_layers(files[0], [3, 4])
    assert (found.shape, holds_nothing(found), read_facts(files[0])["cells"]) == ((2, 512, 512), True, 5)
    assert not holds_nothing(np.broadcast_to(np.float32(1.0), shape))


def test_smooth_blocks_are_packed():
    """A smooth layer takes clearly less than its cells, and the cells that have no value take a bit."""
    rows, columns = np.indices((512, 512))
    smooth = (0.3 + 0.1 * np.sin(rows / 90) * np.cos(columns / 70)).astype(np.float32)[None]
    smooth[:, rows > 255] = np.nan
    assert len(content_of(smooth)) < 0.8 * 4 * 256 * 512


def test_any_flipped_bit_is_found():
    """One bit, anywhere in the file."""
    values = np.random.default_rng(1).normal(size=(2, 9, 9)).astype(np.float32)
    content = content_of(values, fingerprint="x")
    rng = np.random.default_rng(2)
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(rng.integers(8))
        with pytest.raises(LedgerError):
            read_facts(bytes(damaged))


def test_any_lost_end_is_found():
    """Cut short after every byte, or with something after its end."""
    content = content_of(np.random.default_rng(1).normal(size=(2, 9, 9)).astype(np.float32))
    for length in range(len(content)):
        with pytest.raises(LedgerError):
            read_facts(content[:length])
    with pytest.raises(LedgerError, match="after its end"):
        read_facts(content + b"x")


def test_lost_pages_are_found(tmp_path):
    """A page of zeros in the middle, as a power cut leaves it, and a file of nothing but zeros."""
    content = bytearray(content_of(np.random.default_rng(1).normal(size=(2, 99, 99)).astype(np.float32)))
    content[8192:12288] = bytes(4096)
    with pytest.raises(LedgerError, match="damaged"):
        read_facts(bytes(content))
    path = tmp_path / "zeros"
    path.write_bytes(bytes(len(content)))
    with pytest.raises(LedgerError, match="does not begin like a block"):
        read_facts(path)


def test_reading_a_layer_checks_that_layer():
    """Damage after the check is found where it is read, and only there."""
    values = np.random.default_rng(1).normal(size=(2, 30, 30)).astype(np.float32)
    content = bytearray(content_of(values))
    content[-1] ^= 1
    np.testing.assert_array_equal(read_layers(bytes(content), [0]), values[:1])
    with pytest.raises(LedgerError, match="part 2 is damaged"):
        read_layers(bytes(content), [1])
