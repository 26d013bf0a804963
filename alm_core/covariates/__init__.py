"""Raster layers that explain the target: staging on the study grid, derived layers, extraction at sites."""
