"""Checks of catalogue records: the published mistakes are found, a good record stays clean, each rule answers for itself."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alm_core.checking import check
from alm_core.checking.record import read_record
from alm_core.errors import RecordError

PUBLISHED = [
    ("active_layer_moisture.json", "box_swapped", "68.0244"),
    ("active_layer_moisture.json", "season_called_annual", "September to October"),
    ("active_layer_moisture.json", "quality_missing", "quality"),
    ("surface_freeze_thaw.txt", "independent_random_split", "same sample"),
    ("circumpolar_permafrost.json", "source_coverage", "SRTM"),
    ("circumpolar_permafrost.json", "box_longitudes", "0 to 180"),
    ("circumpolar_permafrost.json", "period_disagrees", "1980-2016"),
    ("circumpolar_permafrost.json", "regression_called_classification", "RMSE"),
    ("circumpolar_permafrost.json", "list_lacks_used", "aspect"),
    ("circumpolar_permafrost.json", "climatology_slices", "WorldClim"),
    ("circumpolar_permafrost.json", "source_period", "MODIS"),
    ("frozen_ground.json", "projection_mixed", "0.1"),
    ("frozen_ground.json", "box_missing", "bounding box"),
    ("frozen_ground.json", "files_count", "39"),
]
ERRORS = {
    "active_layer_moisture.json": {"box_swapped", "season_called_annual"},
    "surface_freeze_thaw.txt": {"independent_random_split"},
    "circumpolar_permafrost.json": {
        "source_coverage",
        "box_longitudes",
        "period_disagrees",
        "regression_called_classification",
        "list_lacks_used",
        "climatology_slices",
    },
    "frozen_ground.json": {"projection_mixed"},
}


@pytest.mark.parametrize(("name", "code", "words"), PUBLISHED)
def test_published_mistakes_are_found(shared_records, name, code, words):
    """Each mistake listed for the published records is named, with what came."""
    found = [fault for fault in check(shared_records / name).faults if fault.code == code]
    assert found
    assert any(words in fault.message for fault in found)


@pytest.mark.parametrize("name", sorted(ERRORS))
def test_published_records_have_no_other_errors(shared_records, name):
    """Nothing that is right in them is called an error."""
    report = check(shared_records / name)
    assert report.kind == "record"
    assert not report.ok
    assert {fault.code for fault in report.faults if fault.severity == "error"} == ERRORS[name]


def test_list_of_eleven_indices_is_counted_right(shared_records):
    """The published list does hold eleven items in both languages: no false alarm about its length."""
    assert "list_count" not in check(shared_records / "circumpolar_permafrost.json").codes


def test_good_record_is_clean(good_record, write_record):
    """A sound record has neither errors nor warnings."""
    report = check(write_record(good_record))
    assert report.ok
    assert report.count("warning") == 0, report.text()


def change(record, name, value):
    """Set a field; a dotted name reaches into the English part."""
    if name.startswith("en."):
        record["i18n"]["en"][name[3:]] = value
    else:
        record[name] = value


MUTATIONS = [
    ({"ds_acq_lon_west": 104.7, "ds_acq_lon_east": 68.0}, "box_swapped"),
    ({"ds_acq_lat_south": 39.8, "ds_acq_lat_north": 25.8}, "box_swapped"),
    ({"ds_acq_lat_north": 139.8}, "box_range"),
    ({"ds_acq_lon_west": -270.0}, "box_range"),
    ({"ds_acq_lon_west": 68.0, "ds_acq_lon_east": 68.0}, "box_empty"),
    ({"ds_acq_lon_west": None}, "box_incomplete"),
    ({"ds_acq_lon_west": -120.0, "ds_acq_lon_east": -100.0}, "box_region"),
    ({"en.ds_acq_place": "Tibetan Plateau", "ds_acq_lat_north": 85.0, "ds_acq_lat_south": 60.0}, "box_region"),
    ({"ds_acq_lat_north": 75.0, "ds_acq_place": "亚洲", "title_cn": "数据集", "title_en": "Data"}, "source_coverage"),
    ({"ds_acq_start_time": "2021-01-01"}, "dates_swapped"),
    ({"ds_acq_end_time": "20x0"}, "date_invalid"),
    ({"ds_acq_end_time": "2015-12-31 00:00:00"}, "period_disagrees"),
    (
        {"en.ds_abstract": "The data cover the period 2009-2016; RMSE is 0.08 at a resolution given elsewhere in 0.01."},
        "period_disagrees",
    ),
    ({"ds_abstract": "本数据为青藏高原9-10月活动层体积含水量的年平均值。"}, "season_called_annual"),
    ({"en.ds_abstract": "The yearly mean water content of the active layer from September to October."}, "season_called_annual"),
    ({"ds_projection": "Albers Equal Area Conic"}, "projection_mixed"),
    ({"ds_space_res": "0.5°"}, "resolution_disagrees"),
    (
        {"en.ds_abstract": "Maps with a spatial resolution of 0.25-0.5° are provided for the region; RMSE 0.08."},
        "resolution_disagrees",
    ),
    ({"title_en": "Water content at 25 km on the Qinghai-Tibet Plateau (2009-2020)"}, "resolution_disagrees"),
    (
        {"en.ds_process_way": "Several classification algorithms were compared and the best one kept."},
        "regression_called_classification",
    ),
    ({"ds_process_way": "比较了多种机器学习分类算法，择优使用。"}, "regression_called_classification"),
    ({"en.ds_source": "We derived five terrain indices, including elevation, slope and aspect."}, "list_count"),
    ({"en.ds_source": "There are 3 soil layers (sand, silt, clay, organic carbon)."}, "list_count"),
    ({"ds_source": "采用4种机器学习模型（随机森林、极端随机树、XGBoost）。"}, "list_count"),
    ({"ds_source": "包含气温、气压、比湿、降水率共7个气象要素，时间分辨率三小时。"}, "list_count"),
    ({"en.ds_process_way": "Predictors were the terrain (elevation, slope, aspect, curvature)."}, "list_lacks_used"),
    (
        {"en.ds_quality": "An independent sample was used, randomly split into training and test sets at 70:30."},
        "independent_random_split",
    ),
    ({"ds_quality": "独立验证样本由全部站点随机划分得到，占30%。"}, "independent_random_split"),
    ({"en.ds_quality": "R2 = 1.21 and RMSE 0.08 were reached."}, "score_impossible"),
    ({"ds_quality": "总体精度为120%，RMSE 0.08。"}, "score_impossible"),
    ({"license_type": ""}, "licence_missing"),
    ({"doi_value": "", "cstr": ""}, "doi_missing"),
    ({"ds_ref_way": ""}, "citation_missing"),
    ({"title_cn": "", "title_en": ""}, "title_missing"),
    ({"ds_time_tags": [2009, 2024]}, "time_tags"),
    ({"created": "2015-01-01 00:00:00"}, "date_after_record"),
    ({"en.ds_quality": "Spatial block cross-validation gave R² of 0.91 and RMSE of 0.08."}, "languages_disagree"),
    ({"en.ds_quality": ""}, "translation_missing"),
    (
        {"ds_time_res": "5年", "ds_source": "气候因子来自WorldClim v2.1。", "en.ds_source": "Climate is from WorldClim v2.1."},
        "climatology_slices",
    ),
    ({"ds_time_res": "年", "en.ds_source": "Soil moisture comes from Sentinel-1 images of every year."}, "source_period"),
    ({"ds_time_res": "年", "ds_files_count": 1}, "files_count"),
]


@pytest.mark.parametrize(("changes", "code"), MUTATIONS)
def test_each_rule_answers_for_its_fault(good_record, write_record, changes, code):
    """A good record with one fault is reported with the code of that fault."""
    for name, value in changes.items():
        change(good_record, name, value)
    if "en.title" not in changes and "title_en" in changes:
        good_record["i18n"]["en"]["title"] = changes["title_en"]
    codes = check(write_record(good_record)).codes
    assert code in codes


HARMLESS = [
    {
        "en.ds_quality": "The mean annual ground temperature was measured; field sampling ran from September to "
        "October. R² of 0.61, RMSE of 0.08."
    },
    {"ds_space_res": "1 km"},
    {
        "en.ds_source": "Data from 12 stations and 84 boreholes (Zhao et al., 2021) were used with several "
        "indices such as slope and aspect."
    },
    {
        "en.ds_source": "Elevation is from SRTM, and 30 predictors (10 terrain, 12 climate, 8 soil) were "
        "tested; ERA5-Land gives the climate."
    },
    {
        "ds_acq_lat_north": 75.0,
        "ds_acq_lat_south": 60.0,
        "ds_acq_place": "亚洲",
        "en.ds_acq_place": "Asia",
        "title_cn": "数据集（2009-2020年）",
        "title_en": "Data (2009-2020)",
        "ds_source": "地形来自SRTM与ArcticDEM。",
        "en.ds_source": "Terrain is from SRTM south of 60 N and ArcticDEM north of it.",
    },
    {"en.ds_process_way": "The sample was randomly split at 70:30 into training and test sets. No independent data exist."},
    {
        "ds_time_res": "5年",
        "ds_source": "WorldClim 与 CRU TS 逐月资料。",
        "en.ds_source": "WorldClim normals with CRU TS anomalies.",
    },
]


@pytest.mark.parametrize("changes", HARMLESS)
def test_no_false_alarm(good_record, write_record, changes):
    """What only looks like a fault is not called an error."""
    for name, value in changes.items():
        change(good_record, name, value)
    if "title_en" in changes:
        good_record["i18n"]["en"]["title"] = changes["title_en"]
    report = check(write_record(good_record))
    assert report.ok, report.text()


def test_box_across_the_antimeridian_is_a_note(good_record, write_record):
    """A Bering Sea box is no swap."""
    good_record |= {"ds_acq_lon_west": 160.0, "ds_acq_lon_east": -140.0, "ds_acq_lat_south": 55.0, "ds_acq_lat_north": 59.0}
    good_record |= {"ds_acq_place": "白令海", "title_cn": "数据集", "title_en": "Bering Sea data"}
    good_record["i18n"]["en"] |= {"title": "Bering Sea data", "ds_acq_place": "Bering Sea"}
    report = check(write_record(good_record))
    assert "box_crosses_antimeridian" in report.codes
    assert "box_swapped" not in report.codes


def test_free_text_is_read_by_language(write_record):
    """A record without fields: its title, languages, DOI and licence are found."""
    text = "Frozen ground data set (2001-2010)\n本数据集时间跨度为2001-2012年。\n"
    text += "The data cover the period 2001-2010. CC BY 4.0, 10.5281/zenodo.1\n"
    path = write_record(text, "record.txt")
    record = read_record(path)
    assert record.free_text
    assert record.values["doi"] == "10.5281/zenodo.1"
    assert "period_disagrees" in check(path).codes
    assert "licence_missing" not in check(path).codes


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "3", '{"a": ' * 2000])
def test_damaged_records_are_faults(write_record, text):
    """A file that is no record gives a fault, never a traceback."""
    path = write_record(text)
    with pytest.raises(RecordError):
        read_record(path)
    assert check(path).codes == {"record_unreadable"}


def test_record_in_another_encoding_is_a_fault(tmp_path):
    """GB18030 bytes are named as no UTF-8."""
    path = tmp_path / "record.json"
    path.write_bytes('{"title": "冻土"}'.encode("gb18030"))
    assert "UTF-8" in check(path).faults[0].message


FIELDS = ["title", "ds_abstract", "ds_acq_lon_west", "ds_acq_lon_east", "ds_acq_lat_south", "ds_acq_lat_north", "i18n", "bbox"]
FIELDS += ["ds_acq_start_time", "ds_time_tags", "ds_files_count", "ds_space_res", "ds_time_res", "ds_projection", "license_type"]
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=30), st.lists(st.integers(), max_size=4)
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(FIELDS), VALUES))
def test_any_object_is_checked_without_failing(tmp_path_factory, values):
    """Whatever the fields hold, a report comes out."""
    import json

    path = tmp_path_factory.mktemp("record") / "record.json"
    path.write_text(json.dumps(values), encoding="utf-8")
    assert check(path).kind == "record"
