"""Dangers of a config when a model is built from it: the code, functions, classes and files that it names.

A config from a stranger is data here; Keras and TensorFlow, which would act on it, are not used. A name that is not
known to be harmless counts as harmful: `modelling.json` lists the classes and functions of Keras that models consist
of, `functions.json` the functions and operations of TensorFlow that compute and do nothing else, `operations.json` all
operations that TensorFlow has itself.
"""

from collections.abc import Iterator
from typing import Any

from ckpttool.dangers import callables, code, paths, tensorflow_calls
from ckpttool.dangers.danger import Danger, Kind
from ckpttool.dangers.walk import walk

__all__ = ["JUDGES", "Danger", "Kind", "dangers_in"]

JUDGES = (*code.JUDGES, *callables.JUDGES, *tensorflow_calls.JUDGES, *paths.JUDGES)
"""The functions that yield the dangers of one object of a config, without those of the objects within it."""


def dangers_in(config: Any, name: str = "config") -> Iterator[Danger]:
    """All dangers in a config, however deep; `name` is the first part of their places."""
    return (danger for node in walk(config, name) for judge in JUDGES for danger in judge(node))
