"""What a config can do when a model is made of it: the code, functions, classes and files that it names.

A config from a stranger is data here; Keras and TensorFlow, which would act on it, are asked nothing. What is not known
to be harmless counts as harmful: `modelling.json` lists what Keras makes models of, `functions.json` the functions and
operations of TensorFlow that compute and do nothing else.
"""

from collections.abc import Iterator
from typing import Any

from ckpttool.dangers import callables, code, paths, tensorflow_calls
from ckpttool.dangers.danger import Danger, Kind
from ckpttool.dangers.walk import walk

__all__ = ["JUDGES", "Danger", "Kind", "dangers_in"]

JUDGES = (*code.JUDGES, *callables.JUDGES, *tensorflow_calls.JUDGES, *paths.JUDGES)
"""Each tells what is dangerous in one object of a config, not in those within it."""


def dangers_in(config: Any, name: str = "config") -> Iterator[Danger]:
    """Everything dangerous in a config, however deep; `name` is what its places begin with."""
    return (danger for node in walk(config, name) for judge in JUDGES for danger in judge(node))
