"""Field sites: reading tables, converting raw measurements, screening."""
