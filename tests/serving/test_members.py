"""Member tiles: exact for Python, half a step of a code for the browser."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio

from alm_core.grid import Grid
from alm_core.mapping.cog import write_cog
from alm_core.serving import members
from alm_core.serving.checks import LayerError
from alm_core.serving.members import CODES, MemberCodes, member_codes, member_tile, packed_tile, unpack
from tests.serving.pictures import EDGE, MIDDLE, OUTSIDE, cells_under


@pytest.mark.parametrize("tile", [MIDDLE, EDGE])
def test_members_of_a_tile_are_the_cells_of_the_raster(dashboard_run, tile):
    """Bit by bit, NaN where there is none."""
    with rasterio.open(dashboard_run.folder / "map" / "members.tif", driver="GTiff") as dataset:
        stored, bounds = dataset.read(), tuple(dataset.bounds)
    row, column, inside = cells_under(tile, bounds, stored.shape[1:])
    wanted = np.where(inside, stored[:, row][:, :, column], np.nan)
    np.testing.assert_array_equal(member_tile(dashboard_run, *tile), wanted)


def test_a_tile_without_members_is_none(dashboard_run):
    """Beside the map, and inside its bounds but outside the mask."""
    assert member_tile(dashboard_run, *OUTSIDE) is None
    assert packed_tile(dashboard_run, *OUTSIDE) is None
    assert member_tile(dashboard_run, 12, 3073, 1650) is None  # 90.2 E, left of the mask


def test_codes_give_the_numbers_back_within_half_a_step(dashboard_run):
    """One pair of ends for all members, which every member reaches into; 0 is no data."""
    codes = member_codes(dashboard_run)
    exact = member_tile(dashboard_run, *EDGE)
    packed = unpack(packed_tile(dashboard_run, *EDGE))
    assert packed.dtype == np.dtype("<u2")
    assert packed.shape == (2, 256, 256)
    np.testing.assert_array_equal(packed == 0, np.isnan(exact))
    assert packed.max() <= CODES
    known = ~np.isnan(exact)
    error = np.abs(codes.decode(packed)[known] - exact[known])
    assert error.max() <= codes.step / 2 * (1 + 1e-9)
    assert error.max() > codes.step / 10


def test_the_ends_are_the_smallest_and_the_largest_cell(dashboard_run):
    """Of all members and all cells."""
    with rasterio.open(dashboard_run.folder / "map" / "members.tif", driver="GTiff") as dataset:
        stored = dataset.read()
    codes = member_codes(dashboard_run)
    assert (codes.low, codes.high) == (np.nanmin(stored), np.nanmax(stored))
    assert codes.to_dict() == {"low": codes.low, "high": codes.high, "levels": CODES, "step": codes.step}


def test_a_large_raster_has_ends_that_hold_all_its_cells(copied_run, monkeypatch):
    """Read from an overview and widened by its range on both sides, which even white noise does not leave."""
    rng = np.random.default_rng(4)
    values = rng.normal(0.3, 0.05, (2, 600, 800)).astype(np.float32)
    grid = Grid.from_bounds((90, 30, 94, 33), 0.005, crs="EPSG:4326")
    write_cog(copied_run.folder / "map" / "members.tif", values, grid, band_names=["forest", "boosted"])
    monkeypatch.setattr(members, "SCANNED_CELLS", 200_000)
    codes = member_codes(copied_run)
    assert codes.low < values.min()
    assert codes.high > values.max()
    assert codes.high - codes.low < 4 * (values.max() - values.min())


def test_constant_members_can_be_coded():
    """A step is never 0."""
    codes = MemberCodes(0.2, 1.2)
    assert codes.encode(np.array([0.2, 0.7, 1.2, 5.0, -5.0, np.nan])).tolist() == [1, 32768, 65535, 65535, 1, 0]


def test_members_of_classes_are_refused(class_run):
    """With the reason."""
    with pytest.raises(LayerError, match="classes"):
        member_tile(class_run, *MIDDLE)


def test_decoded_tiles_are_shared_and_read_only(dashboard_run):
    """The same array again; nobody can change it."""
    first = member_tile(dashboard_run, *MIDDLE)
    assert member_tile(dashboard_run, *MIDDLE) is first
    with pytest.raises(ValueError, match="read-only"):
        first[0, 0, 0] = 1
    assert members.DECODED.bytes <= members.DECODED.maximum_bytes
