"""The demo on disk: a study that can be read, files as products have them, the same bytes for a seed, a truth kept aside."""

from __future__ import annotations

import hashlib
from itertools import pairwise

import netCDF4
import numpy as np
import pytest
from pyproj import CRS, Transformer

from alm_core.cubes.states import FROZEN, THAWED, UNKNOWN
from alm_core.errors import StudyError
from alm_core.grid import Grid
from alm_core.studies import DEMOS
from alm_core.studies.surface_freeze_thaw.files import Packing
from alm_core.studies.surface_freeze_thaw.grids import EASE2, EASE2_CRS, EASE2_WEST, ease_grid, footprints, places
from alm_core.studies.surface_freeze_thaw.study_text import study_text
from alm_core.studies.surface_freeze_thaw.truth import NO_DAY, onsets
from alm_core.study import Study, parse_options
from tests.day_study import write_day_study

WRITE = DEMOS["surface_freeze_thaw"]


def digest(folder):
    """Of every file."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in ("README.txt", "study.toml"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def test_the_study_can_be_read(demo):
    """Eight channels, two temperatures, two products, and files for each; the medium one is as large as the published product."""
    import tomllib

    study = Study.load(demo)
    days = study.options.days
    assert study.options.study.simulated
    assert len(days.variables) == 12
    assert {one.frequency_ghz for one in days.variables if one.polarisation} == {18.7, 36.5}
    assert all(study.day_files(one)[0].is_file() for one in days.variables)
    assert len(study.day_files(days.variables[0])) == 5  # two sensors in two of three years
    assert days.splits.random_because
    assert not [path for path in study.input_files().values() if "truth" in str(path)]
    medium = parse_options(tomllib.loads(study_text("medium", 5))).days
    assert (medium.last - medium.first).days + 1 == 3653


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    """And another seed another land; shown on the tiny study, which the same code writes."""
    first, second = (write_day_study(tmp_path / name).parent for name in ("a", "b"))
    assert digest(first) == digest(second)
    for name in ("tb", "gldas", "label", "second", "truth"):
        for path in (second / name).glob("*.nc"):
            path.unlink()
    from alm_core.studies.surface_freeze_thaw.recipe import write_extent
    from tests.day_study import EXTENT

    write_extent(second, EXTENT, seed=6, progress=lambda *_: None)
    assert digest(first) != digest(second)


def test_every_file_says_that_it_is_simulated(demo):
    """CF, days that rise, whole numbers with a scale, a grid that a reader can find."""
    files = sorted(demo.rglob("*.nc"))
    assert len(files) > 50
    for path in files:
        with netCDF4.Dataset(path) as file:
            assert file.simulated == "yes"
            assert file.Conventions == "CF-1.8"
            if "onset" in path.name:
                continue
            time = file.variables["time"]
            days = netCDF4.num2date(time[:], time.units, time.calendar)
            assert all(later > earlier for earlier, later in pairwise(days))
            assert {one.year for one in days} == {int(path.stem[-4:])}
            (name,) = set(file.variables) - {"time", "x", "y", "lat", "lon", "crs"}
            assert file.variables[name].dtype.kind in "iu"
            wanted = EASE2_CRS if path.parent.name in ("tb", "second") else "EPSG:4326"
            assert CRS.from_cf(file.variables["crs"].__dict__).to_epsg() == int(wanted[5:])


def test_sensors_share_the_days(demo):
    """AMSR-E to October 2011, MWRI to July 2012, then AMSR2; a few days are in no file, and swaths are blank."""
    found = {}
    for path in sorted((demo / "tb").glob("*_36V_D_*.nc")):
        with netCDF4.Dataset(path) as file:
            time = file.variables["time"]
            days = netCDF4.num2date(time[:], time.units, only_use_cftime_datetimes=False)
            values = file.variables["TB"][:]
        found[path.name.split("_")[0], days[0].year] = (days[0], days[-1], len(days))
        assert 0.15 < np.ma.getmaskarray(values).mean() < 0.55
        assert 180 < values.min() < values.max() < 310
    assert max(last for (name, _), (_, last, _) in found.items() if name == "AMSRE").strftime("%Y%m") <= "201110"
    assert min(first for (name, _), (first, _, _) in found.items() if name == "AMSR2").strftime("%Y%m") == "201207"
    assert 3 * 365 - 60 < sum(count for _, _, count in found.values()) < 3 * 365


def test_v_is_above_h_in_the_files(demo):
    """Also after packing: a file of swapped channels can be told."""
    for year in ("2011", "2012", "2013"):
        for vertical in (demo / "tb").glob(f"*_36V_A_EASE2_{year}.nc"):
            both = []
            for path in (vertical, vertical.with_name(vertical.name.replace("36V", "36H"))):
                with netCDF4.Dataset(path) as file:
                    both.append(file.variables["TB"][:].filled(np.nan))
            assert not (both[0] < both[1]).any()


def test_the_truth_is_kept_aside(demo):
    """States of the mapped cells without a gap, and onsets of whole freezing years in their order."""
    with netCDF4.Dataset(demo / "truth" / "truth_2012.nc") as file:
        state = file.variables["state"][:].filled(UNKNOWN)
    mapped = state[0] != UNKNOWN
    assert ((state != UNKNOWN) == mapped).all()
    assert 100 < mapped.sum() < 250
    assert 0.3 < (state[:, mapped] == FROZEN).mean() < 0.8
    with netCDF4.Dataset(demo / "truth" / "ice_2012.nc") as file:
        ice = file.variables["ice_share"][:].filled(UNKNOWN)
    assert (state[ice == 0] == THAWED).mean() > 0.99, "soil without ice is thawed"
    assert (state[(ice > 0) & (ice < UNKNOWN)] == FROZEN).all()
    found = []
    for name in ("freeze_onset", "thaw_onset"):
        with netCDF4.Dataset(demo / "truth" / f"{name}.nc") as file:
            found.append(file.variables[name][:].filled(-2))
    freeze, thaw = found
    assert freeze.shape == (2, *mapped.shape)
    both = (freeze > NO_DAY) & (thaw > NO_DAY)
    assert both[:, mapped].mean() > 0.9
    assert (thaw[both] > freeze[both]).all()


def test_onsets_of_hand_made_years():
    """A run of four days is none; a year that never thaws has no thaw."""
    days = np.zeros((365, 3), bool)
    days[100:104, 0] = True
    days[110:200, 0] = True
    days[210:216, 0] = True
    days[:, 1] = True
    found = onsets(days)
    assert found.freeze.tolist() == [110, NO_DAY, NO_DAY]
    assert found.thaw.tolist() == [216, NO_DAY, NO_DAY]


def test_equal_area_grids_lie_on_the_lines_of_the_global_ones():
    """As the published definition has them, and around the whole region."""
    region = Grid.from_bounds((68.0, 25.0, 104.75, 40.5), 0.25, crs="EPSG:4326")
    for name, (size, north) in EASE2.items():
        grid = ease_grid(name, region)
        west, _, _, top = grid.bounds
        for number in ((west - EASE2_WEST) / size, (north - top) / size):
            assert abs(number - round(number)) < 1e-6
        edges = Transformer.from_crs(EASE2_CRS, "EPSG:4326", always_xy=True).transform_bounds(*grid.bounds)
        assert edges[0] <= 68.0 < edges[0] + 0.4
        assert edges[1] <= 25.0 < edges[1] + 0.5
        assert edges[2] >= 104.75 > edges[2] - 0.4
        assert edges[3] >= 40.5 > edges[3] - 0.5


def test_footprints_keep_means():
    """Weights add up to 1, so that a constant stays, and a plane stays a plane inside."""
    region = Grid.from_bounds((88.0, 31.0, 96.0, 36.0), 0.25, crs="EPSG:4326")
    grid = ease_grid("M25", region)
    weights = footprints(region, grid, width=1.2)
    np.testing.assert_allclose(weights @ np.ones(region.size, np.float32), 1.0, atol=1e-5)
    longitude, latitude = places(grid)
    inside = (longitude > 89) & (longitude < 95) & (latitude > 32) & (latitude < 35)
    seen = weights @ places(region)[0].astype(np.float32)
    np.testing.assert_allclose(seen[inside], longitude[inside], atol=0.02)


def test_packing_refuses_what_does_not_fit():
    """400 K fits, 4000 K does not; missing becomes the fill value."""
    packing = Packing("TB", "x", "K", scale=0.1)
    assert packing.pack(np.array([250.04, np.nan, 400.0], np.float32)).tolist() == [2500, -32768, 4000]
    with pytest.raises(ValueError, match="with a scale"):
        packing.pack(np.array([4000.0], np.float32))


@pytest.mark.parametrize(("options", "words"), [({"size": "full"}, "small or medium"), ({"seed": -1}, "0 or more")])
def test_unknown_sizes_and_seeds_are_refused(tmp_path, options, words):
    """By name."""
    with pytest.raises(StudyError, match=words):
        WRITE(tmp_path, **options)
