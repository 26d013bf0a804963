"""What the pages share: frame, words, numbers, charts, panels. Widgets and words only; every number comes from `alm_core`."""
