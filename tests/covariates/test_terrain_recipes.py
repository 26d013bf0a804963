"""Terrain indices as derived layers: by blocks, over whole grids, at sites, and refused where they must be."""

from __future__ import annotations

import numpy as np
import pytest

from alm_core.covariates import flow
from alm_core.covariates.derived import RECIPES, TERRAIN_RECIPES, derived_faults
from alm_core.covariates.extraction import extract
from alm_core.covariates.layers import DerivedSource
from alm_core.covariates.whole_layers import WholeLayer, coarse_grid
from alm_core.errors import StudyError, TooManyPixelsError
from alm_core.grid import Grid
from tests.covariates.terrain_surfaces import carved, rough

SHAPE = (96, 128)


@pytest.fixture(scope="module")
def polar() -> Grid:
    """Cells of 90 m on a north polar stereographic grid."""
    return Grid("EPSG:3413", (90.0, 0.0, -1e6, 0.0, -90.0, -5e5), SHAPE)


@pytest.fixture(scope="module")
def relief() -> np.ndarray:
    """Rough, with valleys."""
    return carved(rough(128), 90.0)[: SHAPE[0]] + np.float32(500)


def source(method, name=None, **options):
    return DerivedSource(name or method, method, {"elevation": "elevation"}, options)


def values(stack, name):
    with stack.reader([name]) as reader:
        return np.vstack([np.hstack([reader.read(block)[0] for block in row]) for row in rows_of(stack.grid)])


def rows_of(grid):
    blocks = list(grid.blocks(64))
    return [[block for block in blocks if block.row == row] for row in sorted({block.row for block in blocks})]


def test_blocks_and_workers_change_nothing(make_stack, relief, polar):
    """Every terrain recipe gives the same numbers for any block size and any number of workers."""
    options = {"channel_order": 3}
    derived = [source(m, **(options if "channel_order" in RECIPES[m].options else {})) for m in TERRAIN_RECIPES]
    derived += [source(m, f"saga_{m}", family="saga") for m in ("plan_curvature", "profile_curvature", "convergence_index")]
    one = make_stack({"elevation": relief}, derived=derived, on=polar, folder="one", block_size=128)
    many = make_stack({"elevation": relief}, derived=derived, on=polar, folder="many", block_size=16, workers=2)
    for layer in derived:
        np.testing.assert_array_equal(values(one, layer.name), values(many, layer.name), err_msg=layer.name)
        undefined = np.isnan(values(one, layer.name)).sum()  # a saddle that is channel and ridge has no slope position
        assert undefined <= (5 if layer.name == "relative_slope_position" else 0), layer.name
        assert one.units[layer.name] == RECIPES[layer.method].unit
    sites = extract(one, polar.x[[5, 70]], polar.y[[9, 80]], method="nearest")
    np.testing.assert_array_equal(sites["catchment_area"], values(one, "catchment_area")[[9, 80], [5, 70]])
    assert any("whole grid" in note for note in one.report["catchment_area"]["notes"])


def test_whole_layers_are_those_of_the_whole_grid(make_stack, relief, polar):
    """What staging writes is what the functions say of the grid in one piece."""
    stack = make_stack({"elevation": relief}, derived=[source("catchment_area"), source("ls_factor", family="saga")], on=polar)
    basin = flow.drainage(relief, *polar.cell_size_metres())
    area = flow.catchment_area(basin)
    np.testing.assert_allclose(values(stack, "catchment_area"), area, rtol=1e-6)
    np.testing.assert_allclose(values(stack, "ls_factor"), flow.length_slope_factor(basin, area, family="saga"), rtol=1e-6)


def test_coarse_layers_are_brought_back_smoothly(make_stack, polar):
    """At four times the cell a plane is filled, averaged and interpolated to itself, but for the rim."""
    plane = np.tile(np.arange(SHAPE[1], dtype=np.float32), (SHAPE[0], 1))
    stack = make_stack({"elevation": plane}, derived=[source("filled_elevation", resolution_cells=4)], on=polar, block_size=16)
    found = values(stack, "filled_elevation")
    np.testing.assert_allclose(found[:, 2:-2], plane[:, 2:-2], atol=1e-4)
    assert "at 4 cell(s): 24 x 32" in stack.report["filled_elevation"]["notes"][0]


def test_coarse_cells_outside_the_data_stay_missing():
    """A fine cell has a value only where the coarse cell that it lies in has one."""
    layer = WholeLayer(np.array([[1.0, np.nan]], np.float32), 3)
    grid = Grid(None, (1.0, 0.0, 0.0, 0.0, -1.0, 3.0), (3, 6))
    found = layer.block(next(grid.blocks(6)))
    np.testing.assert_array_equal(found[0], [1, 1, 1, np.nan, np.nan, np.nan])
    assert layer.to_dict()["shape"] == [1, 2]
    assert coarse_grid(Grid(None, grid.transform, (4, 7)), 3).shape == (2, 3)


def test_grids_too_large_for_flow_are_refused(make_stack, relief, polar, monkeypatch):
    """With the resolution that would fit; and are taken at that."""
    monkeypatch.setattr(flow.check_size, "__kwdefaults__", {"maximum_cells": 4000, "fine_cells": None})
    with pytest.raises(TooManyPixelsError, match=r"resolution_cells = 2"):
        make_stack({"elevation": relief}, derived=[source("catchment_area")], on=polar)
    make_stack({"elevation": relief}, derived=[source("catchment_area", resolution_cells=2)], on=polar, folder="coarse")


@pytest.mark.parametrize(
    ("method", "options", "text"),
    [
        ("plan_curvature", {"family": "grass"}, "family"),
        ("catchment_area", {"resolution_cells": 0}, "resolution_cells"),
        ("catchment_area", {"resolution_cells": 2.5}, "resolution_cells"),
        ("catchment_area", {"exponent": -1.0}, "exponent"),
        ("valley_depth", {"family": "textbook"}, "SAGA"),
        ("relative_slope_position", {"channel_order": 0}, "Strahler"),
        ("convergence_index", {"radius": 3}, "radius"),
        ("filled_elevation", {"rise": -0.1}, "rise"),
    ],
)
def test_wrong_options_are_found_before_anything_is_computed(method, options, text):
    """In the recipe's own words."""
    (fault,) = derived_faults([source(method, **options)], ["elevation"])
    assert isinstance(fault, StudyError)
    assert text in str(fault)


def test_right_options_pass():
    """Every terrain method with its defaults, and those of SAGA."""
    assert derived_faults([source(method) for method in TERRAIN_RECIPES], ["elevation"]) == []


def test_saga_family_takes_a_filled_layer(make_stack, relief, polar):
    """One derived layer is computed from another: curvature of the filled surface is 0 over a lake."""
    pitted = relief.copy()
    pitted[40:60, 40:60] = relief.min() - 100
    derived = [
        source("filled_elevation", "filled"),
        DerivedSource("plan", "plan_curvature", {"elevation": "filled"}, {"family": "saga"}),
        source("closed_depressions"),
    ]
    stack = make_stack({"elevation": pitted}, derived=derived, on=polar)
    assert values(stack, "closed_depressions")[50, 50] > 90
    assert abs(values(stack, "plan")[50, 50]) < 1e-5
