"""study.toml: what is read and what is refused."""

from __future__ import annotations

import pytest

from alm_core.errors import MissingFileError, StudyError
from alm_core.study import Study, parse_options

GOOD = {
    "study": {"name": "a"},
    "grid": {"crs": "EPSG:4326", "resolution": 0.5, "bounds": {"west": 80, "south": 30, "east": 90, "north": 35}},
    "sites": {"table": "sites.csv"},
    "covariates": [{"name": "elevation", "path": "elevation.tif"}],
}


def changed(**sections):
    """GOOD with some sections replaced."""
    return {**GOOD, **sections}


def test_defaults_are_complete():
    """Four learners, bias-aware fusion, half-way blend, 90 % intervals."""
    options = parse_options(GOOD)
    assert [learner.name for learner in options.learners] == ["random_forest", "extra_trees", "xgboost", "catboost"]
    assert (options.fusion.method, options.bias.method, options.bias.blend) == ("bias_aware", "blend", 0.5)
    assert options.uncertainty.level == 0.9


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (changed(study={"name": "a", "sed": 1}), r"study\.sed: no such key. Did you mean `seed`"),
        (changed(fuson={}), r"fuson: no such key. Did you mean `fusion`"),
        (changed(covariates=[{"name": "a", "path": "b", "grup": "soil"}]), r"covariates\.1\.grup.*`group`"),
        (changed(study={"name": "../up"}), r"study\.name"),
        (changed(study={}), r"study\.name: missing"),
        (changed(grid={"crs": "EPSG:4326"}), "either `like`"),
        (changed(grid={**GOOD["grid"], "bounds": {"west": 90, "south": 30, "east": 80, "north": 35}}), "swapped"),
        (changed(grid={**GOOD["grid"], "bounds": {"west": 80, "south": 35, "east": 90, "north": 30}}), "swapped"),
        (changed(covariates=[]), r"no \[\[covariates\]\]"),
        (changed(covariates=GOOD["covariates"] * 2), "share the name elevation"),
        (changed(fusion={"method": "magic"}), "bias_aware"),
        (changed(uncertainty={"level": 1.5}), "less than 1"),
    ],
)
def test_faults_are_named_with_the_cure(values, words):
    """Key, what came and what was expected are in the text."""
    with pytest.raises(StudyError, match=words):
        parse_options(values)


def test_all_faults_come_at_once():
    """Two faults, one message."""
    with pytest.raises(StudyError, match="2 fault") as caught:
        parse_options(changed(study={"name": "a", "sed": 1}, fusion={"method": "magic"}))
    assert "sed" in str(caught.value)
    assert "fusion.method" in str(caught.value)


def test_load_names_every_missing_file(tmp_path):
    """Table and raster are both listed."""
    (tmp_path / "study.toml").write_text(
        '[study]\nname = "a"\n[grid]\ncrs = "EPSG:4326"\nresolution = 0.5\nbounds = {west=80, south=30, east=90, north=35}\n'
        '[sites]\ntable = "sites.csv"\n[[covariates]]\nname = "dem"\npath = "dem.tif"\n'
    )
    with pytest.raises(MissingFileError, match=r"sites\.csv") as caught:
        Study.load(tmp_path)
    assert "dem.tif" in str(caught.value)


def test_load_refuses_what_is_not_toml(tmp_path):
    """The place in the file is named."""
    (tmp_path / "study.toml").write_text("[study\nname=")
    with pytest.raises(StudyError, match="not valid TOML"):
        Study.load(tmp_path / "study.toml")
