"""Every kind of bad input: one clear message that names the file, what came and what to do; exit code 1; nothing written over."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio

from alm_core import run
from alm_core.cli import main
from alm_core.errors import AlmError
from alm_core.grid import Grid
from tests.rasters import write_raster
from tests.small_study import GRID, layers, write_small_study

Change = Callable[[Path], None]


def in_study(old: str, new: str) -> Change:
    """Replace text of study.toml."""

    def change(folder: Path) -> None:
        path = folder / "study.toml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    return change


def in_table(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Change:
    """Change the site table."""

    def apply(folder: Path) -> None:
        table = pd.read_csv(folder / "sites.csv", dtype=str)
        change(table).to_csv(folder / "sites.csv", index=False)

    return apply


def column(name: str, value: Callable[[float], object], rows: slice = slice(None)) -> Change:
    """Map the numbers of a column."""

    def change(table: pd.DataFrame) -> pd.DataFrame:
        table.loc[table.index[rows], name] = [str(value(float(cell))) for cell in table.loc[table.index[rows], name]]
        return table

    return in_table(change)


def raster(array: Callable[[np.ndarray], np.ndarray] = lambda values: values, grid: Grid = GRID, **options: object) -> Change:
    """Replace the layer `noise`."""

    def change(folder: Path) -> None:
        values = np.asarray(array(layers()["noise"].astype(np.float32)))
        write_raster(folder / "noise.tif", values, grid, **options)

    return change


def cut_file(folder: Path) -> None:
    """Keep the first half of a raster."""
    path = folder / "noise.tif"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def rotate(folder: Path) -> None:
    """Give a raster a rotated transform."""
    with rasterio.open(folder / "noise.tif", "r+") as dataset:
        dataset.transform = rasterio.Affine(0.1, 0.02, 90, 0.02, -0.1, 33)


def disguise(folder: Path) -> None:
    """A VRT that calls itself a GeoTIFF."""
    source = folder / "elevation.tif"
    (folder / "noise.tif").write_text(
        f'<VRTDataset rasterXSize="40" rasterYSize="30"><VRTRasterBand dataType="Float32" band="1"><SimpleSource>'
        f'<SourceFilename relativeToVRT="0">{source}</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>'
    )


def bomb(folder: Path) -> None:
    """A sparse file of a few kilobytes that would decode to terabytes."""
    profile = {"driver": "GTiff", "width": 900_000, "height": 900_000, "count": 1, "dtype": "float32", "crs": "EPSG:4326"}
    options = {"tiled": True, "blockxsize": 8192, "blockysize": 8192, "SPARSE_OK": True, "BIGTIFF": "YES", "compress": "deflate"}
    with rasterio.open(folder / "noise.tif", "w", **profile, **options, transform=rasterio.Affine(1e-4, 0, 90, 0, -1e-4, 33)):
        pass


def swap_coordinates(table: pd.DataFrame) -> pd.DataFrame:
    """Latitude under longitude and the other way round."""
    table[["lon", "lat"]] = table[["lat", "lon"]].to_numpy()
    return table


def double_id(table: pd.DataFrame) -> pd.DataFrame:
    """Two sites with one id."""
    table.loc[1, "id"] = table.loc[0, "id"]
    return table


WEST_EAST = "bounds = {west = 90.0, south = 30.0, east = 94.0, north = 33.0}"
FAR = Grid.from_bounds((10, 30, 14, 33), 0.1, crs="EPSG:4326")
CASES: dict[str, tuple[Change, str]] = {
    "unknown section": (in_study("[map]", "[mpa]"), r"mpa.*`map`"),
    "misspelt key": (in_study("inner_folds", "iner_folds"), r"iner_folds.*`inner_folds`"),
    "missing raster": (lambda folder: (folder / "noise.tif").unlink(), r"noise\.tif"),
    "missing table": (lambda folder: (folder / "sites.csv").unlink(), r"sites\.csv"),
    "east and west swapped": (in_study(WEST_EAST, "bounds = {west = 94.0, south = 30.0, east = 90.0, north = 33.0}"), "swapped"),
    "latitude and longitude swapped": (in_table(swap_coordinates), "swapped"),
    "west-positive longitudes": (column("lon", lambda x: -x), "sign|west"),
    "longitudes of the other hemisphere": (column("lon", lambda x: x + 180), "outside_grid 90"),
    "percent for fractions": (column("vwc", lambda v: v * 100), "percent"),
    "censored text": (column("vwc", lambda v: f"<{v:.2f}", slice(3, 5)), r"<0\.\d\d"),
    "sentinels only": (column("vwc", lambda v: -9999), "no|No"),
    "duplicate ids": (in_table(double_id), "p000"),
    "fewer sites than folds": (in_table(lambda table: table.head(2)), "folds|sites"),
    "constant target": (column("vwc", lambda v: 0.3), "same value"),
    "no target at all": (column("vwc", lambda v: "nan"), "no|No"),
    "no such column": (in_study('value = "vwc"', 'value = "vcw"'), r"vcw.*vwc"),
    "sites outside every covariate": (column("lat", lambda y: y + 20), "outside|No site"),
    "constant layer": (raster(lambda values: np.full_like(values, 5.0)), "noise.*same value"),
    "all nodata": (raster(lambda values: np.full_like(values, -9999.0), nodata=-9999.0), "nodata"),
    "no CRS": (raster(crs=None), "CRS"),
    "rotated": (rotate, "rotated"),
    "truncated": (cut_file, r"noise\.tif"),
    "no overlap": (raster(grid=FAR), "overlap"),
    "undeclared integer nodata": (
        raster(lambda values: np.where(values > 1, -32768, values * 100).astype(np.int16)),
        "nodata",
    ),
    "VRT in disguise": (disguise, r"noise\.tif"),
    "size bomb": (bomb, "cells|pixels"),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_refused_with_a_clear_message(tmp_path, case):
    """An AlmError whose text names what is wrong; no result is left behind."""
    change, words = CASES[case]
    study = write_small_study(tmp_path / "in", screening="duplicate_distance_cells = 0.0")
    change(tmp_path / "in")
    with pytest.raises(AlmError) as caught:
        run(study, workspace=tmp_path / "workspace", until="sites")
    assert re.search(words, str(caught.value)), str(caught.value)
    assert not list((tmp_path / "workspace").rglob("samples.parquet"))


def test_sentinels_among_values_are_missing_and_counted(tmp_path):
    """-9999 never becomes a number: the site is removed with a reason."""
    study = write_small_study(tmp_path / "in")
    column("vwc", lambda v: -9999, slice(0, 2))(tmp_path / "in")
    found = run(study, workspace=tmp_path / "workspace", until="sites")
    sites = pd.read_parquet(found.file("sites.parquet"))
    assert sites.loc[~sites["kept"], "rule"].tolist() == ["no_value", "no_value"]


def test_command_line_gives_one_message_and_exit_code_one(tmp_path, capsys, monkeypatch):
    """No traceback; the text is on standard error."""
    study = write_small_study(tmp_path / "in")
    in_study("[map]", "[mpa]")(tmp_path / "in")
    monkeypatch.setattr("sys.argv", ["alm", "run", str(study), "--workspace", str(tmp_path / "w")])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 1
    shown = capsys.readouterr()
    assert "mpa" in shown.err
    assert "Traceback" not in shown.err


def test_command_line_is_interrupted_with_130(tmp_path, monkeypatch):
    """Ctrl-C has its own code, so that a script knows that the run can be resumed."""
    study = write_small_study(tmp_path / "in")

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("alm_core.pipeline.run", interrupted)
    monkeypatch.setattr("sys.argv", ["alm", "run", str(study), "--workspace", str(tmp_path / "w")])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 130
