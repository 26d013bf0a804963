"""The rasters of a finished map: which layers go into which file, under which name and unit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from alm_core.errors import DomainError
from alm_core.grid import Block
from alm_core.mapping.block import BlockPrediction
from alm_core.mapping.block_file import holds_nothing, nothing
from alm_core.mapping.ledger import BlockLedger

TRUST = ("dissimilarity", "density", "inside")
TRUST_UNITS = ("1", "sites", "1")
CODES = 256


@dataclass(frozen=True)
class Product:
    """One file of the map.

    Attributes
    ----------
    name : str
        File name without suffix.
    layers : tuple of str
        Layers of the blocks that become its bands.
    band_names, units : tuple of str
    dtype : str
    scale : float
    nodata : float or None
        None: the default of the data type.
    resampling : str
        How its overviews are made.
    """

    name: str
    layers: tuple[str, ...]
    band_names: tuple[str, ...]
    units: tuple[str, ...]
    dtype: str = "float32"
    scale: float = 1.0
    nodata: float | None = None
    resampling: str = "average"


@dataclass(frozen=True)
class ClassCodes:
    """Which number stands for which class in a raster.

    Attributes
    ----------
    labels : tuple of str
    codes : tuple of int
        0 to 255, in the order of `labels`.
    nodata : int
        0, or 255 where a class has code 0.
    """

    labels: tuple[str, ...]
    codes: tuple[int, ...]
    nodata: int

    @classmethod
    def of(cls, classes: Sequence[Any]) -> ClassCodes:
        """Keep labels that are whole numbers from 0 to 255 as their own codes; number all others from 1.

        Raises
        ------
        DomainError
            More classes than a byte can hold beside nodata.

        Examples
        --------
        >>> ClassCodes.of([1, 2, 3]).codes, ClassCodes.of(["frozen", "thawed"]).codes, ClassCodes.of([0, 1]).nodata
        ((1, 2, 3), (1, 2), 255)
        """
        labels = tuple(str(label) for label in classes)
        if all(_is_code(label) for label in classes):
            codes = tuple(int(label) for label in classes)
        else:
            codes = tuple(range(1, len(labels) + 1))
        free = [code for code in (0, 255) if code not in codes]
        if len(set(codes)) != len(codes) or not free or max(codes) >= CODES:
            raise DomainError(
                f"{len(labels)} classes with codes from {min(codes)} to {max(codes)} leave no number for nodata in a byte. "
                "At most 255 different classes are expected, with 0 or 255 unused."
            )
        return cls(labels, codes, free[0])

    def to_dict(self) -> dict[str, str]:
        """Label of each code."""
        return {str(code): label for code, label in zip(self.codes, self.labels, strict=True)}


def _is_code(label: Any) -> bool:
    whole = isinstance(label, (int, np.integer)) or (isinstance(label, (float, np.floating)) and float(label).is_integer())
    return bool(whole) and not isinstance(label, bool) and 0 <= int(label) < CODES


def regression_products(learners: Sequence[str], *, unit: str, dtype: str = "float32", scale: float = 1.0) -> tuple[Product, ...]:
    """members, fused and uncertainty of a regression.

    uncertainty.tif is always float32: a dissimilarity has no upper bound that a scale could be chosen for.
    """
    scale = scale if dtype == "int16" else 1.0
    members = tuple(f"member:{name}" for name in learners)
    return (
        Product("members", members, tuple(learners), (unit,) * len(members), dtype, scale),
        Product("fused", ("value",), ("fused",), (unit,), dtype, scale),
        Product("uncertainty", ("lower", "upper", *TRUST), ("lower", "upper", *TRUST), (unit, unit, *TRUST_UNITS)),
    )


def class_products(learners: Sequence[str], classes: ClassCodes) -> tuple[Product, ...]:
    """members, fused, probability and uncertainty of a classification."""
    pairs = [(learner, label) for learner in learners for label in classes.labels]
    probabilities = tuple(f"probability:{label}" for label in classes.labels)
    return (
        Product(
            "members",
            tuple(f"member:{learner}:{label}" for learner, label in pairs),
            tuple(f"{learner}: {label}" for learner, label in pairs),
            ("1",) * len(pairs),
        ),
        Product("fused", ("value",), ("class",), ("",), "uint8", nodata=classes.nodata, resampling="mode"),
        Product("probability", probabilities, classes.labels, ("1",) * len(probabilities)),
        Product("uncertainty", ("margin", *TRUST), ("margin", *TRUST), ("1", *TRUST_UNITS)),
    )


def layers_of(products: Sequence[Product]) -> tuple[str, ...]:
    """Layers that every block must hold, in order."""
    return tuple(layer for product in products for layer in product.layers)


def stack_layers(prediction: BlockPrediction, layers: Sequence[str]) -> np.ndarray:
    """A block's predictions as ``[layer, row, column]``, in the order of `layers`."""
    shape = prediction.value.shape
    if holds_nothing(prediction.value) and holds_nothing(prediction.members):
        return nothing((len(layers), *shape))
    members = prediction.members.reshape(-1, *shape)
    found = dict(zip([name for name in layers if name.startswith("member:")], members, strict=True))
    if prediction.probability is not None:
        names = [name for name in layers if name.startswith("probability:")]
        found |= dict(zip(names, prediction.probability, strict=True))
    return np.stack([found[name] if name in found else getattr(prediction, name) for name in layers])


def product_blocks(ledger: BlockLedger, product: Product) -> Iterator[tuple[Block, np.ndarray]]:
    """Finished blocks of one product, in row-major order."""
    for block in ledger.blocks():
        yield block, ledger.read(block, product.layers)
