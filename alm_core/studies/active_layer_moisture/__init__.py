"""The main study: volumetric water content of the active layer of the Qinghai-Tibet Plateau.

So far it is its simulated demo: `write_demo` writes sites, rasters, the truth behind them and a study.toml. The modules,
from the ground up: `noise`, `relief`, `landscape` (the land), `truth` (its moisture), `instruments` (what layers show),
`layers` and `writing` (the rasters), `field_sites` and `table_faults` (the field table), `recipe` (all of it).
"""

from __future__ import annotations

from alm_core.studies.active_layer_moisture.recipe import write_demo

__all__ = ["write_demo"]
