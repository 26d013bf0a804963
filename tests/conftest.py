"""What every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from alm_core.pipeline import run as run_study
from alm_core.workspace import Run
from tests.day_study import write_day_study
from tests.small_study import LEARNERS, sites_table, write_small_study


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real data sets beside the checkout; tests that want it are skipped where it is absent."""
    folder = Path(os.environ.get("ALM_SHARED_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("the real data sets are not beside this checkout (set ALM_SHARED_DATA to their folder)")
    return folder


@pytest.fixture(scope="session")
def dashboard_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished small run with everything that pages show; read-only: copy its folder to write."""
    folder = tmp_path_factory.mktemp("dashboard")
    study = write_small_study(
        folder / "studies" / "small",
        **{
            "sites.columns": (
                'site_id = "id"\nlongitude = "lon"\nlatitude = "lat"\nvalue = "vwc"\nsurvey = "survey"\n'
                'method = "method"\ndate = "date"'
            ),
            "screening": "maximum = 0.6",
            "selection": "enabled = true\nfolds = 3\nrepeats = 1\nminimum_features = 2\nnested = false",
            "validation": (
                'schemes = ["random", "block", "knndm", "survey", "method"]\nfolds = 3\ninner_folds = 3\n'
                "bootstrap = 20\ndomain_points = 100\nblock_size_km = 80"
            ),
        },
    )
    table = sites_table()
    table["method"] = np.where(np.arange(len(table)) % 3 == 0, "gpr", "cutting_ring")
    table["date"] = pd.Timestamp("2019-09-01") + pd.to_timedelta(np.arange(len(table)) % 50, unit="D")
    table.loc[5, "vwc"] = 0.65
    table.to_csv(study.parent / "sites.csv", index=False)
    return run_study(study, workspace=folder / "workspace")


@pytest.fixture(scope="session")
def class_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished small classification; read-only."""
    folder = tmp_path_factory.mktemp("classes")
    study = write_small_study(
        folder / "studies" / "classes",
        learners=LEARNERS,
        study='name = "classes"\ntitle = "Small classes"\nseed = 7\nsimulated = true',
        target='name = "state"\ntask = "classification"',
    )
    table = sites_table()
    table["vwc"] = np.where(table["vwc"] > table["vwc"].median(), 2, 1)
    table.to_csv(study.parent / "sites.csv", index=False)
    return run_study(study, workspace=folder / "workspace")


@pytest.fixture(scope="session")
def day_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished small study of days; read-only."""
    folder = tmp_path_factory.mktemp("days")
    return run_study(write_day_study(folder / "studies" / "days"), workspace=folder / "workspace")
