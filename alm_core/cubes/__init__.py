"""Fields of every day: reading their files, bringing them onto one grid, what is computed from them."""
