"""What the pages ask of a finished run: a place, an area, a site, a set of covariates."""
