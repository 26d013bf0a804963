"""What leaves a run: clipped rasters, figures, tables, citations, one zip; and published maps to compare with."""
