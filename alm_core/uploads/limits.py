"""How much is taken, all in one place."""

from __future__ import annotations

MEGABYTE = 2**20
TABLE_SUFFIXES = (".csv", ".xlsx", ".gpkg", ".geojson")
RASTER_SUFFIXES = (".tif", ".tiff")
AREA_SUFFIXES = (".geojson", ".json", ".gpkg")

TABLE_BYTES = 50 * MEGABYTE
RASTER_BYTES = 200 * MEGABYTE
ALL_RASTERS_BYTES = 2048 * MEGABYTE
RASTERS = 200
AREA_BYTES = 20 * MEGABYTE

TABLE_CELLS = 5_000_000
TABLE_COLUMNS = 2_000
WORKBOOK_BYTES = 256 * MEGABYTE
"""What a workbook may unpack to."""
WORKBOOK_PARTS = 2_000
RASTER_CELLS = 1_000_000_000
"""Cells of one band; the plateau at 3 arc-seconds has 740 million."""
RASTER_BANDS = 200
RASTER_DECODED_BYTES = 8 * 2**30
"""What all bands of a raster may decode to."""
RASTER_TILES = 500_000
"""Stored tiles of all bands: each is looked up when a file is checked for being whole."""
NAME_LETTERS = 40
