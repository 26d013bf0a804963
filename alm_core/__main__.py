"""``python -m alm_core``."""

from alm_core.cli import main

main()
