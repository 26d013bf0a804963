"""The studies: each a short recipe over the shared rooms, with its demo data."""
