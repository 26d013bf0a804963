"""From fitted members to rasters: block prediction, cloud-optimised GeoTIFF, clipping, STAC, the card."""
