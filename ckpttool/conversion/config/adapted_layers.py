"""Discretization and Hashing of Keras 2 in Keras 3: boundaries from adapted data, and arguments with older meanings.

Sources: keras/src/layers/preprocessing/discretization.py and hashing.py (2.15 and 3.15),
tensorflow/python/keras/layers/preprocessing (TensorFlow 2.4).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ckpttool.alignment.alignment import Alignment
from ckpttool.checkpoint import Weight
from ckpttool.conversion.journal import Edit, Journal
from ckpttool.model.layers.categories import SUMMARY

if TYPE_CHECKING:
    import numpy as np

    from ckpttool.conversion.config.changed_semantics import Site

WRITE_DTYPE = Edit(
    "write-dtype",
    "writes float32 as the type of a Discretization, which in Keras 3 casts its input to that type, and int64 as that "
    "of a Hashing which gives whole numbers",
    "always: the same bins; those of a Discretization are counted in int32",
)
WRITE_BOUNDARIES = Edit(
    "write-bin-boundaries",
    "writes the boundaries of an adapted Discretization, which Keras 2 works out from the summary that the file holds",
    "always: by the formula of Keras 2.15, in the same precision",
)
MOVE_BOUNDARIES = Edit(
    "move-bin-boundaries",
    "writes the next larger float32 for each boundary of a Discretization of TensorFlow 2.3 or 2.4, in which a value "
    "on a boundary belongs to the bin below",
    "always: no float32 is between the two, but such as TensorFlow takes for zero",
)
DROP_SALT = Edit(
    "drop-default-salt",
    "writes no salt where TensorFlow 2.3 to 2.5 wrote one of its own, which stands for none",
    "as the saved model hashed; that TensorFlow itself, once it loads the file, uses the salt",
)
EDITS = (WRITE_DTYPE, WRITE_BOUNDARIES, MOVE_BOUNDARIES, DROP_SALT)

_MAX_BINS = 100_000
_MAX_SUMMARY = 10_000_000  # values
_DEFAULT_SALT = [0xDECAFCAFFE, 0xDECAFCAFFE]
_INTEGERS = ("int32", "int64")


def summaries(alignment: Alignment) -> dict[str, Weight]:
    """The summaries of data in adapted Discretizations, by the labels of these layers."""
    return {
        aligned.place.layer: aligned.stored[0].weight
        for aligned in alignment.aligned
        if aligned.place.slot.name == SUMMARY
    }


def discretization_config(config: dict[str, Any], site: Site, journal: Journal) -> dict[str, Any]:
    """The arguments of a Discretization for Keras 3, with its boundaries where it was adapted."""
    dtype = config.get("dtype")
    if isinstance(dtype, str) and dtype.startswith("int"):
        journal.edit(WRITE_DTYPE, site.label, dtype)
        config = {**config, "dtype": "float32"}
    boundaries = config.get("bin_boundaries")
    if isinstance(boundaries, list):
        return {**config, "bin_boundaries": _with_moved_boundaries(boundaries, site, journal)}
    summary = site.origin.summaries.get(site.label)
    return (
        config if summary is None else {**config, "bin_boundaries": _adapted_boundaries(summary, config, site, journal)}
    )


def _with_moved_boundaries(boundaries: list[Any], site: Site, journal: Journal) -> list[Any]:
    """The boundaries for the bins of Keras 3, which do not contain their right ends.

    Up to TensorFlow 2.4 a bin contains its right end, and the last boundary is infinite, by which such a list is
    recognised.
    """
    finite = [value for value in boundaries if value != math.inf]
    if len(finite) == len(boundaries) or not all(isinstance(value, int | float) for value in finite):
        return boundaries
    import numpy as np

    journal.edit(MOVE_BOUNDARIES, site.label)
    tiny = np.finfo("float32").tiny  # TensorFlow takes smaller numbers for zero
    upwards = np.nextafter(np.asarray(finite, "float32"), np.float32(np.inf))
    return _as_list(np.where((upwards > 0) & (upwards < tiny), tiny, upwards))


def _adapted_boundaries(summary: Weight, config: Mapping[str, Any], site: Site, journal: Journal) -> list[float] | None:
    """The boundaries by a summary of the data, None where they are refused."""
    bins = config.get("num_bins")
    if not isinstance(bins, int) or not 0 < bins <= _MAX_BINS or summary.size > _MAX_SUMMARY:
        journal.refuse(site.label, f"a Discretization with a summary {summary.shape}, and num_bins is {bins!r:.40}")
        return None
    if not summary.size:
        journal.refuse(site.label, "a Discretization that was never adapted, and so has no boundaries")
        return None
    journal.edit(WRITE_BOUNDARIES, site.label, f"{bins} bins")
    return _boundaries(summary, bins)


def _boundaries(summary: Weight, bins: int) -> list[float]:
    """`get_bin_boundaries` of Keras 2.15."""
    import numpy as np

    values, weights = summary.read().astype("float32")
    epsilon = 1.0 / bins
    if len(values) * epsilon < 1:
        return _as_list(values[:-1])
    sums = weights.cumsum()
    boundaries = np.interp(epsilon + np.arange(0.0, 1.0, epsilon), sums / sums[-1], values)
    return _as_list(boundaries.astype("float32")[:-1])


def _as_list(values: np.ndarray) -> list[float]:
    listed: list[float] = values.tolist()
    return listed


def hashing_config(config: dict[str, Any], site: Site, journal: Journal) -> dict[str, Any]:
    """The arguments of a Hashing for Keras 3.

    Up to TensorFlow 2.5 its config has a dtype that it did not use, and a default salt where the user passed none
    (`_DEFAULT_SALT_KEY`, hashing.py, 2.4).
    """
    if config.get("output_mode", "int") == "int" and config.get("dtype") not in (*_INTEGERS, None):
        journal.edit(WRITE_DTYPE, site.label, f"{config['dtype']}")
        config = {**config, "dtype": "int64"}
    if config.get("salt") == _DEFAULT_SALT:
        journal.edit(DROP_SALT, site.label)
        config = {**config, "salt": None}
    return config
