"""Small rasters, tables and records that tests break one by one."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

GOOD_RECORD = {
    "title_cn": "青藏高原活动层含水量数据集（2009-2020年）",
    "title_en": "Active layer water content on the Qinghai-Tibet Plateau (2009-2020)",
    "lang": "zh",
    "created": "2024-01-01 00:00:00",
    "ds_abstract": "<p>本数据集为青藏高原活动层体积含水量，代表2009-2020年9-10月的多年平均，空间分辨率为0.01°，RMSE 0.08。</p>",
    "ds_source": "<p>地形因子来自SRTM DEM，共3项地形指标，包括：海拔（H）、坡度（S）和坡向（A）。"
    "气候来自ERA5-Land再分析资料。</p>",
    "ds_process_way": "<p>采用四种回归算法（随机森林、极端随机树、XGBoost、CatBoost），"
    "地形（海拔、坡度、坡向）作为预测因子。</p>",
    "ds_quality": "<p>空间分块交叉验证的决定系数R²为0.61，RMSE为0.08，独立钻孔另作检验，结果一致，"
    "覆盖全部冻土区域与不同植被类型。</p>",
    "ds_acq_start_time": "2009-01-01 00:00:00",
    "ds_acq_end_time": "2020-12-31 00:00:00",
    "ds_acq_place": "青藏高原",
    "ds_acq_lon_west": 68.0,
    "ds_acq_lon_east": 104.7,
    "ds_acq_lat_south": 25.8,
    "ds_acq_lat_north": 39.8,
    "ds_files_count": 1,
    "ds_space_res": "0.01°",
    "ds_time_res": "",
    "ds_coordinate": "WGS84",
    "ds_projection": "EPSG:4326",
    "doi_value": "10.11888/example.1",
    "cstr": "18406.11.example",
    "ds_ref_way": "Someone (2024)",
    "license_type": "CC BY 4.0",
    "ds_time_tags": [2009, 2015, 2020],
    "i18n": {
        "en": {
            "title": "Active layer water content on the Qinghai-Tibet Plateau (2009-2020)",
            "ds_abstract": "<p>Volumetric water content of the active layer, averaged over September to October of 2009-2020. "
            "The spatial resolution of 0.01° follows the covariates; RMSE 0.08.</p>",
            "ds_source": "<p>Terrain comes from the SRTM DEM; 3 terrain indices were derived, including elevation (H), slope (S) "
            "and aspect (A). Climate comes from ERA5-Land reanalysis.</p>",
            "ds_process_way": "<p>Four regression algorithms (random forest, extra trees, XGBoost, CatBoost) were compared; "
            "the terrain (elevation, slope, aspect) served as predictors.</p>",
            "ds_quality": "<p>Spatial block cross-validation gave R² of 0.61 and RMSE of 0.08. Independent boreholes were "
            "checked as well.</p>",
            "ds_acq_place": "Qinghai-Tibet Plateau",
        }
    },
}


@pytest.fixture
def good_record() -> dict:
    """A record without a fault, free to be changed."""
    return copy.deepcopy(GOOD_RECORD)


@pytest.fixture
def write_record(tmp_path):
    """Write a record and return its path."""

    def write(values: object, name: str = "record.json") -> Path:
        path = tmp_path / name
        path.write_text(values if isinstance(values, str) else json.dumps(values, ensure_ascii=False), encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def shared_records(shared_data) -> Path:
    """Folder of the published records; skipped where it is absent."""
    folder = shared_data.parent / "reference" / "records"
    if not folder.is_dir():
        pytest.skip("the published records are not beside this checkout")
    return folder


def write_tif(path: Path, array: np.ndarray, *, crs="EPSG:4326", west=90.0, north=34.0, cell=0.05, tags=None, **profile) -> Path:
    """Write one band, or several where the array has three axes."""
    bands = array if array.ndim == 3 else array[np.newaxis]
    settings = {"transform": from_origin(west, north, cell, cell), "crs": crs} | profile
    with rasterio.open(
        path, "w", driver="GTiff", count=len(bands), height=bands.shape[1], width=bands.shape[2], dtype=bands.dtype, **settings
    ) as dataset:
        dataset.write(bands)
        dataset.update_tags(1, **(tags or {}))
    return path


@pytest.fixture
def smooth() -> np.ndarray:
    """A field that varies, float32 [40, 60]."""
    rows, columns = np.mgrid[0:40, 0:60]
    return (4000 + 20 * np.sin(rows / 7) + 15 * np.cos(columns / 9) + rows).astype(np.float32)


STUDY = """
[study]
name = "small"
licence = "CC BY 4.0"
[target]
name = "vwc"
unit = "m3 m-3"
minimum = 0.0
maximum = 1.0
[grid]
like = "elevation.tif"
[sites]
table = "sites.csv"
[sites.columns]
site_id = "site"
longitude = "lon"
latitude = "lat"
value = "vwc"
[selection]
enabled = false
[[learners]]
name = "random_forest"
[[covariates]]
name = "elevation"
path = "elevation.tif"
group = "terrain"
[[covariates]]
name = "ndvi"
path = "ndvi.tif"
group = "vegetation"
"""


def site_rows(n: int = 40) -> list[str]:
    """Lines of a table of sites that lie on the small grid."""
    random = np.random.default_rng(1)
    longitude, latitude = random.uniform(90.1, 92.9, n), random.uniform(32.1, 33.9, n)
    value = random.uniform(0.1, 0.4, n)
    return [f"s{i},{x:.4f},{y:.4f},{v:.3f}" for i, (x, y, v) in enumerate(zip(longitude, latitude, value, strict=True))]


@pytest.fixture
def small_study(tmp_path, smooth):
    """Folder of a study without a fault."""
    folder = tmp_path / "study"
    folder.mkdir()
    write_tif(folder / "elevation.tif", smooth)
    write_tif(folder / "ndvi.tif", ((smooth - smooth.min()) / np.ptp(smooth) * 0.8).astype(np.float32))
    (folder / "sites.csv").write_text("\n".join(["site,lon,lat,vwc", *site_rows()]), encoding="utf-8")
    (folder / "study.toml").write_text(STUDY, encoding="utf-8")
    return folder
