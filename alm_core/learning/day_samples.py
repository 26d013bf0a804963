"""Cell-days with their states and predictors: the table that studies of days learn from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from alm_core.errors import MissingFileError, SitesError

FEATURE = "feature:"
"""Begins the columns of predictors."""
BASELINE = "baseline:"
"""Begins the columns that only the baselines read."""
COLUMNS = ("cell", "day", "date", "x", "y", "label", "check", "year", "month")


@dataclass(frozen=True)
class DaySamples:
    """One row a cell-day, by day, then cell.

    A row belongs either to the labels or to the check: rows with a value of the independent product in ``check`` are never
    learned from, whatever their label. Not for sites measured once: see `alm_core.covariates.samples.Samples`.

    Attributes
    ----------
    frame : DataFrame
        ``cell`` (place among the mapped cells), ``day`` (place in the calendar), ``date``, ``x, y`` (CRS of the grid), ``label``
        (0 thawed, 1 frozen, NaN unknown), ``check`` (0, 1, NaN: no row of the check), ``year``, ``month``, in studies of sites
        ``site``, then ``feature:<name>`` and ``baseline:<name>``.

    Examples
    --------
    >>> days = pd.DataFrame({"cell": [4], "day": [0], "date": [pd.Timestamp("2012-01-01")], "x": [90.0], "y": [33.0]})
    >>> days = days.assign(label=1.0, check=np.nan, year=2012, month=1, **{"feature:tb": np.float32(241)})
    >>> samples = DaySamples(days)
    >>> samples.names, samples.learns.tolist(), samples.features.tolist()
    (('tb',), [True], [[241.0]])
    """

    frame: pd.DataFrame

    def __post_init__(self) -> None:
        absent = [name for name in COLUMNS if name not in self.frame]
        if absent:
            raise SitesError(
                f"The table of cell-days lacks the columns {', '.join(absent)}: it is of another kind of study or another "
                "version. Run the study again."
            )

    @classmethod
    def open(cls, path: str | Path) -> DaySamples:
        """Read a table that the stage ``samples`` wrote.

        Raises
        ------
        MissingFileError
            It is not there.
        SitesError
            It is damaged, or the table of another kind of study.
        """
        path = Path(path)
        if not path.is_file():
            raise MissingFileError(f"{path.name} is not there: the samples of this run are not finished. Run it again.")
        try:
            frame = pd.read_parquet(path)
        except (OSError, ValueError) as fault:  # what pyarrow raises for a file that is cut short
            raise SitesError(f"{path.name} can't be read ({fault}). Run the study again.") from fault
        return cls(frame)

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the predictors, in the order of the models."""
        return tuple(name.removeprefix(FEATURE) for name in self.frame if name.startswith(FEATURE))

    @property
    def features(self) -> np.ndarray:
        """Predictors, float32 ``[sample, feature]``, NaN where missing."""
        return self.frame[[FEATURE + name for name in self.names]].to_numpy(np.float32)

    @property
    def is_check(self) -> np.ndarray:
        """bool ``[sample]``: rows of the independent check."""
        return self.frame["check"].notna().to_numpy()

    @property
    def learns(self) -> np.ndarray:
        """bool ``[sample]``: rows that may be learned from."""
        return self.frame["label"].notna().to_numpy() & ~self.is_check

    @property
    def label(self) -> np.ndarray:
        """float ``[sample]``: 0 thawed, 1 frozen, NaN unknown."""
        return self.frame["label"].to_numpy(float)

    @property
    def check(self) -> np.ndarray:
        """float ``[sample]``: state of the independent product, NaN in rows of the labels."""
        return self.frame["check"].to_numpy(float)

    @property
    def dates(self) -> np.ndarray:
        """datetime64[D] ``[sample]``."""
        return self.frame["date"].to_numpy("datetime64[D]")

    @property
    def sites(self) -> np.ndarray | None:
        """Names of the sites ``[sample]`` (empty in rows of the check); None where labels are a product."""
        return self.frame["site"].fillna("").astype(str).to_numpy(object) if "site" in self.frame else None

    def column(self, name: str) -> np.ndarray:
        """One column as an array."""
        return self.frame[name].to_numpy()
