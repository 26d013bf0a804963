"""Cells of an area, block by block."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from rasterio.features import geometry_mask

from alm_core.errors import GridError
from alm_core.grid import Grid
from alm_core.mapping.area import Area, box_area, make_area
from alm_core.mapping.area_cells import all_cells, cells_of

GRID = Grid.from_bounds((90, 30, 96, 34), 0.01, crs="EPSG:4326")


def whole_mask(cells):
    """All blocks together, on the whole grid."""
    found = np.zeros(cells.whole.shape, bool)
    for part in cells.blocks(100):
        found[part.rows, part.columns] = part.inside
    return found


@pytest.mark.parametrize("all_touched", [False, True])
@pytest.mark.parametrize("vertices", [60, 6000])
def test_blocks_together_are_the_mask_of_the_polygon(all_touched, vertices):
    """However it is cut, also where a polygon of many vertices is cut to each block first."""
    angle = np.linspace(0, 2 * np.pi, vertices, endpoint=False)
    radius = 1.2 + 0.4 * np.sin(9 * angle)
    star = shapely.Polygon(np.column_stack([93 + radius * np.cos(angle), 32 + radius * np.sin(angle)]))
    cells = cells_of(Area(star), GRID, all_touched=all_touched)
    expected = geometry_mask([star], GRID.shape, GRID.affine, all_touched=all_touched, invert=True)
    np.testing.assert_array_equal(whole_mask(cells), expected)


def test_every_cell_of_the_grid():
    """All cells, none beyond."""
    cells = all_cells(GRID)
    assert whole_mask(cells).all()
    assert (cells.grid, cells.beyond) == (GRID, False)


def test_blocks_say_where_to_read():
    """The window of a block holds its cells in the whole grid."""
    part = next(iter(cells_of(box_area((91, 31, 92, 32)), GRID).blocks()))
    assert (part.window.col_off, part.window.row_off, part.window.width, part.window.height) == (100, 200, 100, 100)


def test_hole_is_left_out():
    """A polygon with a hole."""
    ring = shapely.box(92, 31, 94, 33).difference(shapely.box(92.5, 31.5, 93.5, 32.5))
    assert whole_mask(cells_of(make_area(ring), GRID)).sum() == 200 * 200 - 100 * 100


@pytest.mark.parametrize(
    ("box", "words"), [((10, 10, 11, 11), "outside the map"), ((92.001, 31.001, 92.002, 31.002), "no cell centre")]
)
def test_areas_without_a_cell_are_refused(box, words):
    """Outside, or smaller than a cell."""
    with pytest.raises(GridError, match=words):
        cells_of(box_area(box), GRID)
