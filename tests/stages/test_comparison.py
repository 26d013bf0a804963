"""The comparison stage of a run."""

from __future__ import annotations

import tomllib

import pytest

from alm_core.errors import StudyError
from alm_core.pipeline import run
from alm_core.publishing.provenance import study_toml
from alm_core.study import Study, parse_options
from tests.small_study import LEARNERS, write_small_study

SECTION = (
    'enabled = true\nlearners = ["linear", "nearest_neighbours", {name = "forest", kind = "random_forest", '
    "options = {n_estimators = 20}}]\nfolds = 4\nrepeats = 2\ncombinations = 6"
)
WITHOUT_TREES = '[[learners]]\nname = "linear"\n[[learners]]\nname = "support_vector"\n'


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """A run as far as the comparison."""
    folder = tmp_path_factory.mktemp("comparison")
    study = write_small_study(folder / "in", comparison=SECTION)
    return study, run(study, workspace=folder / "workspace", until="comparison")


def test_what_is_written(compared):
    """Both schemes with all learners; covariates ranked, combinations tried, some chosen."""
    found = compared[1].comparison()
    assert list(found["schemes"]) == ["random", "knndm"]
    assert (found["schemes"]["random"]["folds"], found["schemes"]["random"]["repeats"]) == (4, 2)
    for scheme in found["schemes"].values():
        assert {learner["name"] for learner in scheme["learners"]} == {"linear", "nearest_neighbours", "forest"}
        assert len(scheme["differences"]) == 2
        assert scheme["sentence"].startswith("By ")
    assert {entry["feature"] for entry in found["importance"]} == {"elevation", "wetness", "warmth", "noise"}
    assert found["importance"][0]["feature"] == "wetness"
    assert set(found["chosen"]) <= {"elevation", "wetness", "warmth", "noise"}
    assert 4 <= len(found["combinations"]) <= 6
    assert found["deciding"] == "knndm"
    assert "fits them on all sites" in found["note"]


def test_the_written_study_says_the_same(compared):
    """Tables inside a list of [comparison] survive the way through the study that is published with a map."""
    run_options = compared[1].record["options"]
    assert parse_options(tomllib.loads(study_toml(compared[1]))) == parse_options(run_options)


def test_a_second_run_finds_it_done(compared, tmp_path):
    """The stage is skipped where nothing changed, and taken over by a run whose comparison is the same."""
    study, first = compared
    told = {}
    run(
        study,
        workspace=first.folder.parents[1],
        until="comparison",
        progress=lambda event: told.update({event.stage: event.message}),
    )
    assert told["comparison"] == "unchanged"
    text = study.read_text()
    study.write_text(text.replace("block_size = 16", 'block_size = 16\ndtype = "int16"'))
    other = run(
        study,
        workspace=first.folder.parents[1],
        until="comparison",
        progress=lambda event: told.update({event.stage: event.message}),
    )
    study.write_text(text)
    assert told["comparison"].startswith("taken from run")
    assert other.comparison() == first.comparison()


def test_off_by_default(tmp_path):
    """Nothing is fitted and nothing is written."""
    found = run(write_small_study(tmp_path / "in"), workspace=tmp_path / "workspace", until="comparison")
    assert found.comparison() is None
    assert found.record["stages"]["comparison"]["files"] == {}


def test_classes_are_refused(tmp_path):
    """Squared errors of labels mean nothing."""
    study = write_small_study(tmp_path / "in", comparison="enabled = true", target='name = "state"\ntask = "classification"')
    table = study.parent / "sites.csv"
    lines = table.read_text().splitlines()
    column = lines[0].split(",").index("vwc")
    rows = [line.split(",") for line in lines[1:]]
    for row in rows:
        row[column] = str(1 + (float(row[column]) > 0.3))
    table.write_text("\n".join([lines[0], *(",".join(row) for row in rows)]) + "\n")
    with pytest.raises(StudyError, match="maps classes"):
        run(study, workspace=tmp_path / "workspace", until="comparison")


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ('learners = ["linear"]', "two or more are expected"),
        ('learners = ["linear", "linear"]', "a name of its own"),
        ('schemes = ["random"]\ndeciding = "knndm"', "deciding is 'knndm'"),
        ("fold = 3", "Did you mean `folds`"),
    ],
)
def test_options_are_checked(tmp_path, section, words):
    """Before anything is run."""
    with pytest.raises(StudyError, match=words):
        Study.load(write_small_study(tmp_path / "in", comparison=section))


def test_a_study_without_trees_is_mapped(tmp_path):
    """Learners that have no file format are fitted again for the map; no file of the run holds code."""
    found = run(write_small_study(tmp_path / "in", learners=WITHOUT_TREES), workspace=tmp_path / "workspace", until="map")
    assert (found.folder / "map" / "fused.tif").is_file()
    assert set(found.metrics()["schemes"]["random"]) == {"linear", "support_vector", "fused"}
    assert not [path for path in found.folder.rglob("*") if path.suffix in (".pkl", ".pickle", ".joblib")]


def test_learners_of_the_study_are_the_default(tmp_path):
    """Those of the study, and the four kinds without trees that it lacks."""
    from alm_core.stages.comparison import entries

    options = Study.load(write_small_study(tmp_path / "in", learners=LEARNERS + WITHOUT_TREES)).options
    names = [name for name, _, _ in entries(options)]
    assert names == ["forest", "boosted", "linear", "support_vector", "splines", "nearest_neighbours"]
