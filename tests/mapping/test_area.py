"""Areas: polygons from files, checked before they are used."""

from __future__ import annotations

import json
import sqlite3

import geopandas
import numpy as np
import pytest
import shapely

from alm_core.errors import CrsError, GridError, MissingFileError
from alm_core.grid import Grid
from alm_core.mapping.area import MAXIMUM_VERTICES, Area, box_area, make_area, read_area

SQUARE = {"type": "Polygon", "coordinates": [[[90, 30], [91, 30], [91, 31], [90, 31], [90, 30]]]}
EAST = {"type": "Polygon", "coordinates": [[[92, 30], [93, 30], [93, 31], [92, 30]]]}


def feature(geometry):
    """A GeoJSON feature."""
    return {"type": "Feature", "properties": {}, "geometry": geometry}


@pytest.mark.parametrize(
    ("content", "bounds"),
    [
        (SQUARE, (90, 30, 91, 31)),
        (feature(SQUARE), (90, 30, 91, 31)),
        ({"type": "FeatureCollection", "features": [feature(SQUARE), feature(EAST)]}, (90, 30, 93, 31)),
        ({"type": "GeometryCollection", "geometries": [SQUARE]}, (90, 30, 91, 31)),
        ({"type": "MultiPolygon", "coordinates": [SQUARE["coordinates"], EAST["coordinates"]]}, (90, 30, 93, 31)),
    ],
    ids=["polygon", "feature", "collection", "geometries", "multi"],
)
def test_every_kind_of_geojson_is_read(tmp_path, content, bounds):
    """Polygons of any GeoJSON wrapping become one area in longitude and latitude."""
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps(content), encoding="utf-8-sig")
    area = read_area(path)
    assert area.bounds == bounds
    assert area.crs == "EPSG:4326"


def test_geopackage_is_read_with_its_crs(tmp_path):
    """A GeoPackage brings its own CRS."""
    frame = geopandas.GeoDataFrame(
        geometry=[shapely.box(5e5, 3.3e6, 6e5, 3.4e6), shapely.box(6e5, 3.3e6, 7e5, 3.4e6)], crs="EPSG:32646"
    )
    frame.to_file(tmp_path / "a.gpkg", driver="GPKG")
    area = read_area(tmp_path / "a.gpkg")
    assert area.bounds == (5e5, 3.3e6, 7e5, 3.4e6)
    assert area.crs == "EPSG:32646"


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        ("<OGRVRTDataSource><OGRVRTLayer name='x'/></OGRVRTDataSource>", "neither GeoJSON nor GeoPackage"),
        ("[1, 2]", "no GeoJSON object"),
        ("[" * 100000, "neither"),
        ('{"type": "Point", "coordinates": [1, 2]}', "Point"),
        ('{"type": "FeatureCollection", "features": []}', "nothing"),
        ('{"type": "Polygon", "coordinates": [[1, 2]]}', "can't be read"),
        ('{"type": "Polygon", "coordinates": [[[900, 30], [901, 30], [901, 31], [900, 30]]]}', "no longitude and latitude"),
        ('{"type": "Polygon", "coordinates": [[[31, 91], [31, 92], [32, 92], [31, 91]]]}', "Longitude comes first"),
    ],
)
def test_bad_files_are_named(tmp_path, content, hint):
    """VRTs in disguise, other geometries, swapped axes: one clear message each."""
    path = tmp_path / "a.geojson"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(GridError, match=hint):
        read_area(path)


def test_database_that_is_no_geopackage_is_refused(tmp_path):
    """An SQLite file is handed to GDAL only where it says that it is a GeoPackage."""
    with sqlite3.connect(tmp_path / "a.gpkg") as database:
        database.execute("create table t (x)")
    with pytest.raises(GridError, match="no GeoPackage"):
        read_area(tmp_path / "a.gpkg")


def test_missing_file_is_named(tmp_path):
    """A file that is not there has its own class."""
    with pytest.raises(MissingFileError, match=r"none\.geojson"):
        read_area(tmp_path / "none.geojson")


def test_too_many_vertices_are_refused():
    """The limit holds for GeoJSON before shapely sees it, and for geometries."""
    angle = np.linspace(0, 2 * np.pi, MAXIMUM_VERTICES + 1)
    ring = np.column_stack([90 + np.cos(angle), 30 + np.sin(angle)]).tolist()
    with pytest.raises(GridError, match="vertices"):
        make_area({"type": "Polygon", "coordinates": [[*ring, ring[0]]]})
    with pytest.raises(GridError, match="vertices"):
        make_area(shapely.Polygon(ring))


def test_crossing_ring_is_repaired():
    """A bow tie becomes its two triangles; a ring without area is refused."""
    area = make_area({"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]})
    assert area.geometry.is_valid
    assert area.geometry.area == pytest.approx(0.5)
    with pytest.raises(GridError, match="no area"):
        make_area({"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [0, 0], [1, 0], [0, 0]]]})


@pytest.mark.parametrize("name", ["urn:ogc:def:crs:OGC:1.3:CRS84", "EPSG:32646"])
def test_stated_crs_is_taken(name):
    """The old crs member of GeoJSON is obeyed; CRS84 is longitude, latitude."""
    area = make_area({**SQUARE, "crs": {"type": "name", "properties": {"name": name}}})
    assert area.crs == ("EPSG:4326" if "CRS84" in name else name)
    with pytest.raises(CrsError):
        make_area({**SQUARE, "crs": {"type": "name", "properties": {"name": "EPSG:999999"}}})


@pytest.mark.parametrize("bounds", [(104, 25, 68, 40), (68, 40, 104, 25), (68, 25, 104)])
def test_swapped_boxes_are_refused(bounds):
    """Swapped edges are named, and so is a box of three numbers."""
    with pytest.raises(GridError):
        box_area(bounds)


def test_edges_bend_on_a_projected_grid():
    """A parallel is an arc on a polar map: the middle of the southern edge is kept at its latitude."""
    grid = Grid.from_bounds((-4e6, -4e6, 4e6, 4e6), 1e5, crs="EPSG:3995")
    moved = box_area((-60, 50, 60, 60)).on(grid)
    radius = np.hypot(*shapely.get_coordinates(moved).T)
    middle = np.abs(radius - radius.max()).argsort()[:20]
    assert np.ptp(radius[middle]) < 1  # metres: a chord would cut 2,000 km off


def test_grid_without_crs_shares_that_of_the_area():
    """Where the map has no CRS, coordinates are taken as they are."""
    grid = Grid(None, (1.0, 0.0, 0.0, 0.0, -1.0, 10.0), (10, 10))
    assert box_area((2, 2, 4, 4)).on(grid).bounds == (2, 2, 4, 4)
    assert Area(shapely.box(0, 0, 1, 1)).to_dict()["crs"] == "EPSG:4326"
