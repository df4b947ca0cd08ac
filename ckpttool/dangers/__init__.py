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
from ckpttool.dangers.walk import Node, walk

__all__ = ["Danger", "Kind", "dangers_in", "dangers_of_node"]

_JUDGES = (*code.JUDGES, *callables.JUDGES, *tensorflow_calls.JUDGES, *paths.JUDGES)  # of objects


def dangers_in(config: Any, name: str = "config") -> Iterator[Danger]:
    """All dangers in a config, however deep; `name` is the first part of their places."""
    return (danger for node in walk(config, name) for danger in dangers_of_node(node))


def dangers_of_node(node: Node) -> Iterator[Danger]:
    """The dangers of one object or list of a config, without those of the objects within it."""
    if isinstance(node.value, list):
        yield from code.code_list(node)
    else:
        for judge in _JUDGES:
            yield from judge(node)
