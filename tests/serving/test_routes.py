"""The routes: headers, files, and what happens to requests that nobody should make."""

from __future__ import annotations

import json

import pytest

from alm_core.jobs.store import JobState
from alm_core.serving import routes
from alm_core.serving.urls import (
    ASSETS,
    card_url,
    download_url,
    hillshade_url,
    live_url,
    members_url,
    picture_url,
    thumbnail_url,
    tile_url,
    vector_url,
    vendor_url,
)
from alm_core.workspace import write_json
from tests.serving.conftest import client_of
from tests.serving.pictures import MIDDLE, OUTSIDE

JOB = "20260901-120000-000000-abcdef"

Z, X, Y = MIDDLE


def reason(answer, *statuses: int) -> str:
    """The reason of a refusal, which must be short JSON without a path of this machine or a stack trace."""
    assert answer.status_code in statuses, (answer.status_code, answer.text[:300])
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    text = answer.json()["error"]
    assert 10 < len(text) < 900
    for word in ("Traceback", "/tmp", "workspace", "site-packages", ".py", "File "):
        assert word not in text
    return text


def root(run, kind: str = "tiles") -> str:
    """Address of a run's tiles."""
    return f"/alm/{kind}/{run.folder.parent.name}/{run.id}"


def test_every_address_that_we_make_is_answered(client, dashboard_run):
    """200, the right content type, nosniff, and kept for long because the address has a version."""
    urls = {
        tile_url(dashboard_run, "fused"): "image/png",
        tile_url(dashboard_run, "inside"): "image/png",
        tile_url(dashboard_run, "covariate:elevation", palette="vik", low=-1.5, high=1e4): "image/png",
        live_url(dashboard_run, weights={"forest": 0.25}, correction="none"): "image/png",
        live_url(dashboard_run, preset="bias_aware"): "image/png",
        members_url(dashboard_run): "application/octet-stream",
        hillshade_url(dashboard_run): "image/png",
        picture_url(dashboard_run, width=200): "image/png",
        thumbnail_url(dashboard_run): "image/png",
        card_url(dashboard_run): "text/html; charset=utf-8",
        vendor_url("leaflet.js"): "text/javascript; charset=utf-8",
        vendor_url("draw/leaflet.draw.css"): "text/css; charset=utf-8",
    }
    for url, kind in urls.items():
        answer = client.get(url.format(z=Z, x=X, y=Y))
        assert answer.status_code == 200, (url, answer.text[:200])
        assert answer.headers["content-type"] == kind
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "max-age=604800" in answer.headers["cache-control"]
        assert "v=" in url


def test_without_a_version_browsers_ask_again(client, dashboard_run):
    """A bare address is never kept."""
    answer = client.get(f"{root(dashboard_run)}/fused/{Z}/{X}/{Y}.png")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-cache"


def test_the_card_may_run_no_script(client, dashboard_run):
    """A policy that allows styles and pictures of the file itself and nothing else."""
    answer = client.get(card_url(dashboard_run))
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script" not in policy
    assert "<html" in answer.text


@pytest.mark.parametrize(
    "tail",
    [
        "fused/17/0/0.png",
        f"fused/{Z}/128/0.png",
        f"fused/{Z}/0/128.png",
        f"fused/{Z}/-1/0.png",
        f"fused/{'9' * 4500}/0/0.png",
        "fused/1e400/0/0.png",
        "fused/nan/0/0.png",
        f"fused/{Z}/{X}/{Y}.0.png",
        f"fused/{Z}/{X}/{Y}.png?low=nan",
        f"fused/{Z}/{X}/{Y}.png?low=1e400",
        f"fused/{Z}/{X}/{Y}.png?high=-inf",
        f"fused/{Z}/{X}/{Y}.png?low=2&high=1",
        f"fused/{Z}/{X}/{Y}.png?palette=jet",
        f"fused/{Z}/{X}/{Y}.png?palette=../../etc/passwd",
        f"covariate:wetness/{Z}/{X}/{Y}.png?scenario=mine",
        f"live/{Z}/{X}/{Y}.png",
        f"live/{Z}/{X}/{Y}.png?weights=1",
        f"live/{Z}/{X}/{Y}.png?weights=1,2,3",
        f"live/{Z}/{X}/{Y}.png?weights=0,0",
        f"live/{Z}/{X}/{Y}.png?weights=-1,2",
        f"live/{Z}/{X}/{Y}.png?weights=nan,1",
        f"live/{Z}/{X}/{Y}.png?weights=inf,1",
        f"live/{Z}/{X}/{Y}.png?weights=1e308,1e308",
        f"live/{Z}/{X}/{Y}.png?weights={'1,' * 5000}",
        f"live/{Z}/{X}/{Y}.png?weights=1,1&correction=residual",
        f"live/{Z}/{X}/{Y}.png?weights=1,1&lambda=2",
        f"live/{Z}/{X}/{Y}.png?weights=1,1&lambda=nan",
        f"live/{Z}/{X}/{Y}.png?preset=manual",
        f"live/{Z}/{X}/{Y}.png?preset=magic",
    ],
)
def test_bad_numbers_and_names_are_refused_with_a_reason(client, dashboard_run, tail):
    """400 and a sentence."""
    reason(client.get(f"{root(dashboard_run)}/{tail}"), 400)


@pytest.mark.parametrize(
    "path",
    [
        "/alm/tiles/small/ffffffffffff/fused/7/97/52.png",
        "/alm/tiles/other/RUN/fused/7/97/52.png",
        "/alm/tiles/small/RUN/unknown/7/97/52.png",
        "/alm/tiles/small/RUN/covariate:../../run/7/97/52.png",
        "/alm/tiles/small/RUN/covariate:%2e%2e%2f%2e%2e%2frun/7/97/52.png",
        "/alm/tiles/small/RUN/..%2f..%2fmap%2ffused/7/97/52.png",
        "/alm/tiles/..%2f..%2fetc/passwd/fused/7/97/52.png",
        "/alm/tiles/%2e%2e/%2e%2e/fused/7/97/52.png",
        "/alm/tiles/.jobs/RUN/fused/7/97/52.png",
        "/alm/tiles/small/RUN/fused/7/97/52.png?scenario=nowhere",
        "/alm/tiles/small/RUN/fused/7/97/52.png?scenario=../run",
        "/alm/tiles/small/RUN/fused/7/97/52.png?scenario=" + "a" * 3000,
        "/alm/tiles/small/RUN/fused/7/97/52.tif",
        "/alm/tiles/small/RUN/fused%00/7/97/52.png",
        "/alm/members/small/ffffffffffff/7/97/52.bin",
        "/alm/run/small/%2e%2e/card.html",
        "/alm/run/small/RUN/run.json",
        "/alm/download/%2e%2e/run.json",
        "/alm/download/..%2f..%2fsmall/card.html",
        "/alm/download/nobody/result.tif",
        "/alm/vendor/..%2f..%2f__init__.py",
        "/alm/vendor/nothing.js",
        "/alm/vectors/%2e%2e/%2e%2e/pyproject.toml",
        "/alm/anything",
        "/alm",
    ],
)
def test_what_is_not_there_is_404_in_json(client, dashboard_run, path):
    """Unknown runs, layers, scenarios, files, and every way to climb out of a folder."""
    reason(client.get(path.replace("RUN", dashboard_run.id).replace("/small/", f"/{dashboard_run.folder.parent.name}/")), 404)


def test_a_fault_that_nobody_foresaw_is_logged_and_hidden(client, dashboard_run, monkeypatch, caplog):
    """500 with a short reason; the stack trace goes to the log."""

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("secret /tmp/path")

    monkeypatch.setattr(routes, "layer_tile", fail)
    text = reason(client.get(f"{root(dashboard_run)}/fused/{Z}/{X}/{Y}.png"), 500)
    assert "secret" not in text
    assert "ZeroDivisionError" in caplog.text


def test_a_damaged_raster_is_a_clear_answer_without_its_path(copied_run, monkeypatch):
    """Cut in the middle, and no GeoTIFF at all."""
    client, file = client_of(copied_run, monkeypatch), copied_run.folder / "covariates" / "wetness.tif"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    assert client.get(f"{root(copied_run)}/covariate:wetness/{Z}/{X}/{Y}.png").status_code in (404, 422)
    file.write_text('<VRTDataset rasterXSize="1" rasterYSize="1"></VRTDataset>')
    reason(client.get(f"{root(copied_run)}/covariate:wetness/{Z}/{X}/{Y}.png"), 404, 422)


def test_an_unfinished_run_has_no_map_yet(copied_run, monkeypatch):
    """404 for its map and its card, and its covariates are served."""
    (copied_run.folder / "map" / "map.json").unlink()
    (copied_run.folder / "card.html").unlink()
    client = client_of(copied_run, monkeypatch)
    assert "no layer" in reason(client.get(f"{root(copied_run)}/fused/{Z}/{X}/{Y}.png"), 404)
    reason(client.get(f"{root(copied_run, 'run')}/card.html"), 404)
    reason(client.get(f"{root(copied_run, 'members')}/{Z}/{X}/{Y}.bin"), 404)
    assert client.get(f"{root(copied_run)}/covariate:wetness/{Z}/{X}/{Y}.png").status_code == 200


def test_a_deleted_run_is_gone(copied_run, monkeypatch):
    """A run that was served before is not remembered for ever."""
    client = client_of(copied_run, monkeypatch)
    url = f"{root(copied_run)}/fused/{Z}/{X}/{Y}.png"
    assert client.get(url).status_code == 200
    (copied_run.folder / "run.json").unlink()
    reason(client.get(url), 404)


def test_member_tiles_beside_the_map_are_204(client, dashboard_run):
    """No body, kept like the others."""
    z, x, y = OUTSIDE
    answer = client.get(members_url(dashboard_run).format(z=z, x=x, y=y))
    assert answer.status_code == 204
    assert answer.content == b""
    assert "max-age" in answer.headers["cache-control"]


def test_member_tiles_of_classes_are_refused(class_client, class_run):
    """They are probabilities."""
    assert "classes" in reason(class_client.get(f"{root(class_run, 'members')}/{Z}/{X}/{Y}.bin"), 404)


def test_results_of_jobs_are_downloads_by_listed_name(copied_run, monkeypatch):
    """Attachment with its name; links, folders and files beside the results are not served."""
    workspace = copied_run.folder.parents[1]
    files = workspace / ".jobs" / JOB / "files"
    files.mkdir(parents=True)
    (files / ".half.tif").write_bytes(b"half")
    (files / "wet map.tif").write_bytes(b"content")
    (files / "folder").mkdir()
    (files.parent / "job.json").write_text('{"kind": "export", "spec": {}, "submitted": 0}')
    write_json(files.parent / "progress.json", JobState("done").to_dict())
    (files / "link.json").symlink_to(files.parent / "job.json")
    client = client_of(copied_run, monkeypatch)
    answer = client.get(download_url(JOB, "wet map.tif"))
    assert answer.content == b"content"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert "wet%20map.tif" in answer.headers["content-disposition"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    for name in ("folder", "link.json", ".half.tif", "../job.json", "job.json", "nothing", ""):
        reason(client.get(f"/alm/download/{JOB}/{name.replace('/', '%2f')}"), 404)
    write_json(files.parent / "progress.json", JobState("failed").to_dict())
    reason(client.get(download_url(JOB, "wet map.tif")), 404)


def test_vectors_of_the_base_map_are_geojson(client):
    """Served with their own type, compressed."""
    found = sorted((ASSETS / "vectors").glob("*.geojson"))
    if not found:
        pytest.skip("this checkout has no vectors of the base map")
    answer = client.get(vector_url(found[0].stem))
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/geo+json")
    assert json.loads(answer.text)["type"] == "FeatureCollection"
