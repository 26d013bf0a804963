"""Ground temperature and active layer thickness north of 45 N, in slices of five years.

A recipe over the shared rooms: `write_demo` writes two simulated studies (``magt/study.toml`` and ``alt/study.toml``) that share
their rasters. `land` is the simulated land and its warming climate, `field_sites` what is measured on it, `recipe` all of it.
"""

from __future__ import annotations

from alm_core.studies.circumpolar_permafrost.recipe import write_demo

__all__ = ["write_demo"]
