"""Other weights and corrections on the members of a finished run, under a name."""
