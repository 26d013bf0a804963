"""Recipes of derived layers: checked before they run, computed from what they name."""

from __future__ import annotations

import typing

import numpy as np
import pytest

from alm_core.covariates import climate
from alm_core.covariates.backscatter import soil_moisture_change
from alm_core.covariates.derived import RECIPES, derived_faults, in_order
from alm_core.covariates.layers import DerivedSource
from alm_core.errors import StudyError
from alm_core.options import DerivedOptions
from tests.rasters import read_raster

NAMES = ("a", "b", "c", *(f"t{month}" for month in range(12)), *(f"s{scene}" for scene in range(6)))
MONTHS = [f"t{month}" for month in range(12)]
SCENES = [f"s{scene}" for scene in range(6)]
GOOD = [
    DerivedSource("d", "ndvi", {"nir": "a", "red": "b"}),
    DerivedSource("d", "ndwi", {"nir": "a", "green": "b"}),
    DerivedSource("d", "ndwi", {"nir": "a", "swir": "b"}, {"definition": "gao"}),
    DerivedSource("d", "soil_moisture_change", {"vv": SCENES}),
    DerivedSource(
        "d", "soil_moisture_change", {"vv": SCENES, "target": ["s3"], "maximum": "a"}, {"percentiles": [5, 95], "minimum": 0.1}
    ),
    DerivedSource("d", "degree_days", {"temperature": MONTHS}, {"kind": "freezing", "method": "sine"}),
    DerivedSource("d", "slope", {"elevation": "a"}, {"method": "zevenbergen_thorne"}),
    DerivedSource("d", "northness", {"elevation": "a"}, {"weight_by_slope": True, "north": "grid"}),
]
BAD = [
    (DerivedSource("d", "evi", {"nir": "a"}), "evi"),
    (DerivedSource("d", "ndvi", {"nir": "a"}), "`red` is missing"),
    (DerivedSource("d", "ndvi", {"nir": "a", "red": "b", "blue": "c"}), "no such input `blue`"),
    (DerivedSource("d", "ndvi", {"nir": "a", "red": "zz"}), "`zz` is not a covariate"),
    (DerivedSource("d", "ndvi", {"nir": ["a", "c"], "red": "b"}), "takes one layer, 2"),
    (DerivedSource("d", "ndvi", {"nir": "a", "red": "b"}, {"gain": 1}), "no such option `gain`"),
    (DerivedSource("d", "ndwi", {"nir": "a"}), "green"),
    (DerivedSource("d", "degree_days", {"temperature": MONTHS[:11]}), "11 temperature"),
    (DerivedSource("d", "degree_days", {"temperature": MONTHS}, {"kind": "cold"}), "cold"),
    (DerivedSource("d", "soil_moisture_change", {"vv": SCENES, "target": ["a"]}), "target scene `a`"),
    (DerivedSource("d", "soil_moisture_change", {"vv": SCENES[:2]}), "2 scene"),
    (DerivedSource("d", "soil_moisture_change", {"vv": SCENES}, {"percentiles": 5}), "wrong value"),
    (DerivedSource("d", "slope", {"elevation": "a"}, {"method": "evans"}), "evans"),
    (DerivedSource("d", "aspect", {"elevation": "a"}, {"north": "south"}), "south"),
]


@pytest.mark.parametrize("source", GOOD, ids=lambda source: f"{source.method}-{len(source.options)}")
def test_good_recipes_have_no_fault(source):
    """What the documentation promises is accepted."""
    assert derived_faults([source], NAMES) == []


@pytest.mark.parametrize(("source", "words"), BAD, ids=[words for _, words in BAD])
def test_bad_recipes_are_named(source, words):
    """Each fault is told with the layer's name before anything is computed."""
    faults = derived_faults([source], NAMES)
    assert len(faults) == 1
    assert isinstance(faults[0], StudyError)
    assert "Derived layer d: " in str(faults[0])
    assert words in str(faults[0])


def test_every_method_of_the_options_has_a_recipe():
    """study.toml and the room know the same methods."""
    assert set(typing.get_args(DerivedOptions.model_fields["method"].annotation)) == set(RECIPES)


def test_order_follows_inputs_and_circles_are_named():
    """A layer computed from a derived one comes after it; a circle is refused."""
    second = DerivedSource("second", "slope", {"elevation": "first"})
    first = DerivedSource("first", "slope", {"elevation": "a"})
    assert in_order([second, first], NAMES) == [first, second]
    round_one = DerivedSource("x", "slope", {"elevation": "y"})
    round_two = DerivedSource("y", "slope", {"elevation": "x"})
    assert "x, y" in str(derived_faults([round_one, round_two, first], NAMES)[0])


def test_degree_days_through_the_stack(make_stack, grid, relief):
    """Twelve layers staged and summed by blocks equal the formula on whole arrays; the report counts them."""
    lapse = 20 - relief * 0.0055
    months = np.stack([lapse - 12 * np.cos(2 * np.pi * (month + 0.5) / 12) for month in range(12)]).astype(np.float32)
    months[3, 5:8, 5:8] = np.nan
    derived = [DerivedSource("thaw", "degree_days", {"temperature": MONTHS}, {"method": "sine"}, group="climate")]
    stack = make_stack({f"t{month}": months[month] for month in range(12)}, derived=derived, block_size=32)
    np.testing.assert_allclose(read_raster(stack.file("thaw")), climate.degree_days(months, method="sine"), rtol=1e-5)
    assert stack.units["thaw"] == "degree_Celsius day"
    assert stack.report["thaw"]["missing"] == 9
    assert stack.report["thaw"]["undefined"] == 0


def test_change_detection_through_the_stack(make_stack, grid):
    """Target scenes are found by name; cells without contrast are counted as undefined."""
    vv = np.random.default_rng(4).normal(-14, 2, (6, *grid.shape)).astype(np.float32)
    vv[:, :2, :3] = -12
    inputs = {"vv": SCENES, "target": ["s4", "s1"]}
    derived = [DerivedSource("moisture", "soil_moisture_change", inputs, {"percentiles": [10, 90], "maximum": 0.45})]
    stack = make_stack(dict(zip(SCENES, vv, strict=True)), derived=derived, block_size=32)
    expected = soil_moisture_change(vv, target=[4, 1], percentiles=(10, 90), maximum=0.45)
    np.testing.assert_allclose(read_raster(stack.file("moisture")), expected, rtol=1e-6)
    assert stack.report["moisture"]["undefined"] == 6
    assert stack.units["moisture"] == "m3 m-3"


def test_faults_of_derived_layers_stop_staging_early(make_stack, relief, tmp_path):
    """Nothing is written where a derived layer is impossible."""
    with pytest.raises(StudyError, match="`red` is missing"):
        make_stack({"a": relief}, derived=[DerivedSource("d", "ndvi", {"nir": "a"})])
    assert not (tmp_path / "stack").exists()
