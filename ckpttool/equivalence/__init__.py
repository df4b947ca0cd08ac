"""Two checkpoints compared by what they mean: one that an older Keras wrote counts as what `convert` makes of it."""

from ckpttool.equivalence.checkpoints import diff

__all__ = ["diff"]
