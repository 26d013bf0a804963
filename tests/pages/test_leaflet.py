"""The Leaflet map: everything from our own server, one base script, what changes travels apart from it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import streamlit_folium
from starlette.applications import Starlette
from starlette.testclient import TestClient

from alm_core.serving.routes import ROUTES
from alm_core.workspace import Run
from pages.parts.frame import Page, read_options
from pages.parts.leaflet import DRAW_WORDS, base_map, local_address, localize, show_map, walk
from pages.parts.words import Words

OUTSIDE = re.compile(r"""(?:https?:)?//(?!www\.w3\.org/)[A-Za-z0-9-]+\.[A-Za-z0-9.-]+""")
STATE: dict[str, Any] = {
    "rasters": {"left": {"url": "/alm/tiles/a.png", "opacity": 0.5}},
    "legend": [],
    "swipe": None,
    "water": True,
    "relief": True,
    "place": None,
    "area": None,
}


def page_of(run: Run, language: str = "en") -> Page:
    """The map page without its widgets."""
    return Page("map", Words(language, "map"), language, run, read_options(run))


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What is sent to the browser, call by call."""
    calls: list[dict[str, Any]] = []
    monkeypatch.setattr(streamlit_folium, "_component_func", lambda **values: calls.append(values))
    return calls


def test_no_address_outside_our_server_is_left(dashboard_run: Run) -> None:
    """The whole page of the map, as folium writes it, asks no other host for anything."""
    html = base_map(page_of(dashboard_run), dashboard_run).get_root().render()
    assert OUTSIDE.findall(html) == []
    assert "/alm/vendor/leaflet.js" in html


def test_every_script_style_and_shape_is_served(
    dashboard_run: Run, sent: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each address that the browser is given answers with the right kind of file."""
    monkeypatch.setenv("ALM_WORKSPACE", str(dashboard_run.folder.parents[1]))
    show_map(base_map(page_of(dashboard_run), dashboard_run), key="map", state=STATE)
    client = TestClient(Starlette(routes=ROUTES))
    kinds = {
        "javascript": sent[0]["js_links"],
        "css": sent[0]["css_links"],
        "json": re.findall(r"/alm/vectors[^\"]*", sent[0]["script"]),
    }
    assert [len(addresses) for addresses in kinds.values()] == [4, 3, 2]
    for kind, addresses in kinds.items():
        for address in addresses:
            answer = client.get(address.replace("\\u0026", "&"))
            assert answer.status_code == 200, address
            assert kind in answer.headers["content-type"], address


def test_the_base_stays_byte_for_byte_when_the_state_changes(dashboard_run: Run, sent: list[dict[str, Any]]) -> None:
    """Another layer, opacity or place changes only the state: the browser keeps its map."""
    other = {
        **STATE,
        "rasters": {"left": {"url": "/alm/tiles/b.png", "opacity": 1.0}},
        "place": {"longitude": 91.0, "latitude": 33.0},
    }
    for state in (STATE, other):
        show_map(base_map(page_of(dashboard_run), dashboard_run), key="map", state=state)
    first, second = sent
    for part in ("script", "key", "js_links", "css_links", "html", "height", "id"):
        if part != "id":
            assert first[part] == second[part], part
    assert "/alm/tiles/a.png" in first["feature_group"]
    assert "/alm/tiles/b.png" in second["feature_group"]
    assert "/alm/tiles/a.png" not in first["script"]


def test_no_shape_is_inlined(dashboard_run: Run, sent: list[dict[str, Any]]) -> None:
    """Lakes and rivers are fetched by the browser: what is sent with each change stays small."""
    show_map(base_map(page_of(dashboard_run), dashboard_run), key="map", state=STATE)
    assert len(sent[0]["script"]) < 10_000
    assert len(sent[0]["feature_group"]) < 2_000


def test_only_clicks_and_drawings_come_back(dashboard_run: Run, sent: list[dict[str, Any]]) -> None:
    """Moving the map does not run the page again."""
    show_map(base_map(page_of(dashboard_run), dashboard_run), key="map", state=STATE)
    assert sent[0]["returned_objects"] == ["last_clicked", "all_drawings"]


@pytest.mark.parametrize(
    "name",
    ["</script><script>alert(1)</script>", "{{ 7 * 7 }}", "{{{ 'map' }}}", "{% raw %}", "{# note #}", 'a "quoted" \\ name'],
)
def test_a_name_stays_text(dashboard_run: Run, sent: list[dict[str, Any]], name: str) -> None:
    """A name that somebody gave is neither a script in the browser nor a template on the server."""
    show_map(base_map(page_of(dashboard_run), dashboard_run), key="map", state={**STATE, "legend": [{"title": name}]})
    script = sent[0]["feature_group"]
    assert "<" not in script
    shown = re.search(r"almMap\.show\((.*)\);", script).group(1)
    assert json.loads(shown)["legend"] == [{"title": name}]


def test_localize_rewrites_known_addresses_and_drops_the_rest() -> None:
    """A plain folium map has Leaflet from our server afterwards and nothing else; other maps are untouched."""
    import folium

    plain, untouched = folium.Map(), folium.Map()
    dropped = localize(plain.get_root())
    addresses = [address for part in walk(plain.get_root()) for _, address in [*getattr(part, "default_js", [])]]
    assert [address.partition("?")[0] for address in addresses] == ["/alm/vendor/leaflet.js"]
    assert any("jquery" in address for address in dropped)
    assert any("bootstrap" in address for address in dropped)
    assert untouched.default_js[0][1].startswith("https://")


def test_own_addresses_stay() -> None:
    """An address of our own is never touched."""
    assert local_address("/alm/browser/map_view.js?v=1", ()) == "/alm/browser/map_view.js?v=1"
    assert local_address("//cdn.example.org/x.js", ()) is None


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_drawing_tools_speak_the_language_of_the_page(dashboard_run: Run, language: str) -> None:
    """Every text of the drawing tools comes from the words of the page."""
    page = page_of(dashboard_run, language)
    html = base_map(page, dashboard_run).get_root().render()
    for key, path in DRAW_WORDS.items():
        assert f"L.drawLocal.{path} = " in html
        assert page.t(f"draw.{key}")
    tools = base_map(page, dashboard_run, draw=False).get_root().render()
    assert "L.drawLocal" not in tools
