"""A study made from uploads."""

from __future__ import annotations

import os
import time

import numpy as np
import pytest

from alm_core.study import Study
from alm_core.uploads import StudyDraft, UploadError
from alm_core.uploads.draft import DRAFTS, FORGOTTEN_SECONDS
from tests.uploads import files


def rasters(**profile):
    """Two layers on the grid."""
    noise = np.random.default_rng(2).random(files.GRID.shape).astype(np.float32)
    return [("DEM (m).tif", files.geotiff(**profile)), ("ndvi.tif", files.geotiff(noise, **profile))]


def draft_of(studies, **profile):
    """A draft of good files."""
    return StudyDraft.receive(studies, table=("my sites.csv", files.csv_table()), rasters=rasters(**profile))


def test_uploads_become_a_study(tmp_path):
    """Checked, shown, created; the draft is gone and the study loads."""
    draft = draft_of(tmp_path / "studies").named("My area, 2024")
    found = draft.examine(title="My area, 2024")
    assert found.ok, found.faults
    assert (found.target, found.rows, found.layers) == ("vwc", 60, 2)
    assert "note_depth" in found.columns
    assert list(found.preview.columns)[:2] == ["id", "lon"]
    assert {"target.unit", "grid.crs", "covariate DEM_m"} <= {guess.what for guess in found.guesses}
    path = draft.create(tmp_path / "studies")
    assert path == tmp_path / "studies" / "My_area_2024" / "study.toml"
    study = Study.load(path)
    assert (study.name, study.options.study.title) == ("My_area_2024", "My area, 2024")
    assert [layer.path for layer in study.options.covariates] == ["covariates/DEM_m.tif", "covariates/ndvi.tif"]
    assert list((tmp_path / "studies" / DRAFTS).iterdir()) == []


def test_the_target_can_be_corrected(tmp_path):
    """Another column of numbers."""
    draft = draft_of(tmp_path)
    assert draft.examine(target="note_depth").target == "note_depth"
    with pytest.raises(UploadError, match="no column"):
        draft.examine(target="nothing")


def test_a_missing_crs_is_asked_for_and_can_be_given(tmp_path):
    """Metres without a CRS; degrees of the sites fit once it is named."""
    metres = (10_000.0, 0.0, 500_000.0, 0.0, -10_000.0, 3_660_000.0)
    import rasterio

    draft = draft_of(tmp_path, crs=None, transform=rasterio.Affine(*metres))
    first = draft.examine()
    assert first.crs_wanted
    assert not first.ok
    assert not draft.examine(crs="EPSG:32646").crs_wanted
    with pytest.raises(UploadError, match="EPSG:99999999"):
        draft.examine(crs="EPSG:99999999")


def test_no_message_tells_a_path_of_this_machine(tmp_path):
    """Neither faults nor guesses."""
    draft = draft_of(tmp_path)
    found = draft.examine()
    assert str(tmp_path) not in str(found.to_dict())


def test_every_refused_file_is_named_and_nothing_stays(tmp_path):
    """One line each."""
    table = ("sites.csv", b"\x89PNG")
    with pytest.raises(UploadError) as caught:
        StudyDraft.receive(tmp_path, table=table, rasters=[*rasters(), ("bad.tif", files.VRT), ("worse.tif", b"")])
    lines = str(caught.value).splitlines()
    assert [line.split(" ")[0].rstrip(":") for line in lines] == ["sites.csv", "bad.tif", "worse.tif"]
    assert list((tmp_path / DRAFTS).iterdir()) == []


def test_no_raster_at_all_is_a_clear_fault(tmp_path):
    """A map needs something that is known everywhere."""
    with pytest.raises(UploadError, match="No raster came"):
        StudyDraft.receive(tmp_path, table=("sites.csv", files.csv_table()), rasters=[])


def test_rasters_are_bounded_together(tmp_path, monkeypatch):
    """Each alone would be taken."""
    monkeypatch.setattr("alm_core.uploads.draft.ALL_RASTERS_BYTES", 6_000)
    with pytest.raises(UploadError, match="together"):
        draft_of(tmp_path)
    assert list((tmp_path / DRAFTS).iterdir()) == []


def test_an_existing_study_is_never_replaced(tmp_path):
    """Another name is asked for, and the draft stays."""
    (tmp_path / "taken").mkdir()
    draft = draft_of(tmp_path).named("taken")
    draft.examine()
    with pytest.raises(UploadError, match="already"):
        draft.create(tmp_path)
    assert list((tmp_path / "taken").iterdir()) == []
    assert draft.named("free").folder.is_dir()


def test_a_name_can_not_leave_the_folder(tmp_path):
    """Separators and dots are no letters."""
    draft = draft_of(tmp_path / "studies").named("../../outside")
    draft.examine()
    assert draft.create(tmp_path / "studies").parent == tmp_path / "studies" / "outside"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["studies"]


def test_a_draft_that_is_gone_says_so(tmp_path):
    """After a day, or in another tab."""
    draft = draft_of(tmp_path)
    draft.discard()
    for action in (lambda: draft.named("other"), draft.examine, lambda: draft.create(tmp_path)):
        with pytest.raises(UploadError, match="not there any more"):
            action()


def test_forgotten_drafts_are_cleared_away(tmp_path):
    """With the next upload, once they are a day old."""
    old, young = draft_of(tmp_path), draft_of(tmp_path)
    past = time.time() - FORGOTTEN_SECONDS - 10
    os.utime(old.folder.parent, (past, past))
    draft_of(tmp_path)
    assert not old.folder.exists()
    assert young.folder.exists()
