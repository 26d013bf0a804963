"""Lint for inputs and metadata: every fault of a study, a table, a raster or a catalogue record, named at once."""
