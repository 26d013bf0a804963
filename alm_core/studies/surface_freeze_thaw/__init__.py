"""Daily freeze/thaw state of the ground surface from microwave brightness temperatures.

A recipe over the shared rooms: `write_demo` writes a simulated study. `land` is the plateau, `weather` its noise, `ground` the
temperature and phase of its soil, `radiation` what a radiometer sees of it, `products` the products of states and of reanalysis,
`files` and `truth` how all of it is written.
"""

from __future__ import annotations

from alm_core.studies.surface_freeze_thaw.recipe import write_demo

__all__ = ["write_demo"]
