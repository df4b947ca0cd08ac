"""Discretization: the bins of numbers.

In Keras 3 an adapted layer has its boundaries in its config. In Keras 2 it has none there, but a weight: a summary of
its data, from which it works the boundaries out (keras/src/layers/preprocessing/discretization.py, 2.15 and 3.15).
"""

from ckpttool.model.arguments import Args
from ckpttool.model.sizes import Inputs
from ckpttool.model.slots import Part, Slot

SUMMARY = "summary"


def discretization(args: Args, inputs: Inputs) -> Part:
    """Discretization: the summary of its data, where nothing gives the boundaries."""
    given = args.config.get("bin_boundaries") is not None
    return args.part(None if given else Slot(SUMMARY, (2, None), trainable=False))
