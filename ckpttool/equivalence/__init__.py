"""The comparison of two checkpoints by their meaning: one of an older Keras is compared in the form that `convert`
writes."""

from ckpttool.equivalence.checkpoints import diff

__all__ = ["diff"]
