"""Coordinates are checked before they are believed."""

from __future__ import annotations

import numpy as np
import pytest

from alm_core.errors import CrsError, SitesError
from alm_core.sites.coordinates import to_longitude_latitude
from alm_core.sites.faults import Faults

PLATEAU = (68.0, 25.0, 105.0, 40.0)
LON, LAT = np.array([75.0, 85.0, 91.5, 99.0]), np.array([30.0, 31.0, 33.25, 36.0])


def place(x, y, **options):
    """Check, raising faults."""
    faults = Faults("sites.csv")
    found = to_longitude_latitude(np.asarray(x, float), np.asarray(y, float), np.arange(2, len(x) + 2), faults, **options)
    faults.raise_any()
    return found


def test_good_coordinates_pass_untouched():
    """With and without bounds."""
    for bounds in (None, PLATEAU):
        found = place(LON, LAT, bounds=bounds)
        np.testing.assert_array_equal(found.longitude, LON)
        np.testing.assert_array_equal(found.latitude, LAT)
        assert not found.notes


@pytest.mark.parametrize("bounds", [None, PLATEAU])
def test_swapped_is_noticed(bounds):
    """Impossible latitudes tell it without bounds, the map tells the rest."""
    with pytest.raises(SitesError, match="swapped"):
        place(LAT, LON, bounds=bounds)


def test_swapped_but_possible_needs_the_bounds():
    """Latitudes of 68 to 88 are possible, only not on this map."""
    place(LAT[:2], LON[:2])
    with pytest.raises(SitesError, match="0 of 2 sites are inside the map as they are, 2 the other way round"):
        place(LAT[:2], LON[:2], bounds=PLATEAU)


def test_longitudes_to_360():
    """Only those above 180 are wrong, and the cure is named."""
    alaska = (-170.0, 55.0, -130.0, 72.0)
    with pytest.raises(SitesError, match=r"2 longitude\(s\) run from 0 to 360.*Subtract 360"):
        place([210.0, 215.0], [68.0, 69.0], bounds=alaska)
    with pytest.raises(SitesError, match=r"1 longitude\(s\) run from 0 to 360"):
        place([10.0, 20.0, 215.0], [68.0, 69.0, 69.0], bounds=(-180.0, 45.0, 180.0, 90.0))
    assert "above 180" in place([210.0], [68.0]).notes[0]
    with pytest.raises(SitesError, match="Add 360"):
        place([-150.0], [68.0], bounds=(190.0, 55.0, 230.0, 72.0))


def test_positive_to_the_west():
    """The cure says which sign to flip."""
    with pytest.raises(SitesError, match=r"Multiply the longitude column by -1"):
        place([150.0, 145.0], [68.0, 69.0], bounds=(-170.0, 55.0, -130.0, 72.0))


def test_impossible_rows_are_named():
    """One typing error in many sites is a row, not a column."""
    x, y = np.full(40, 8.0), np.full(40, 47.0)
    y[5], x[7] = 95.0, 400.0
    with pytest.raises(SitesError, match=r"2 site\(s\).*row 7 '\(8, 95\)', row 9 '\(400, 47\)'"):
        place(x, y)


def test_a_few_sites_outside_the_map_are_no_fault():
    """Screening takes them out; reading does not."""
    found = place([*LON, 10.0], [*LAT, 47.0], bounds=PLATEAU)
    assert len(found.longitude) == len(LON) + 1


def test_sentinels_are_missing():
    """-9999 is no coordinate, while -99 is a longitude."""
    found = place([-9999.0, -99.0, 90.0], [40.0, 40.0, -9999.0], sentinels=(-9999.0, -99.0))
    assert list(np.isnan(found.longitude)) == [True, False, True]
    assert list(np.isnan(found.latitude)) == [True, False, True]
    assert "2 site(s) with a sentinel" in found.notes[0]
    assert found.notes[1] == "2 site(s) without coordinates (row 2, row 4)"


def test_projected_coordinates_are_transformed():
    """The false origin of UTM zone 46 lies at 93 E on the equator."""
    found = place([500000.0], [0.0], crs="EPSG:32646")
    np.testing.assert_allclose([found.longitude[0], found.latitude[0]], [93.0, 0.0], atol=1e-9)
    assert "EPSG:32646" in found.notes[0]


def test_degrees_declared_as_metres_or_the_reverse():
    """Metres are no degrees, and an unknown CRS is refused."""
    with pytest.raises(SitesError, match="check `crs`"):
        place([500000.0] * 3, [4000000.0] * 3)
    with pytest.raises(CrsError, match="not known"):
        place(LON, LAT, crs="EPSG:0")
