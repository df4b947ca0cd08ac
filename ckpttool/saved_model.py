"""A SavedModel without its weights: its TensorFlow, tags, signatures, functions, assets. Its graphs are never run."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple

from ckpttool.escape import brief
from ckpttool.object_graph import ObjectGraph


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output of a signature. A size of the shape is None where it is open, the shape where the rank is."""

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None


@dataclass(frozen=True, slots=True)
class Signature:
    """A function of a SavedModel that can be called under a name."""

    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]

    __repr__ = brief


@dataclass(frozen=True, slots=True)
class LookupTable:
    """The content of a lookup table when the model is loaded: keys and values, or the lines of an asset."""

    keys: tuple[bytes, ...] | tuple[int, ...] = ()
    values: tuple[bytes, ...] | tuple[int, ...] = ()
    asset: str = ""


class KerasObject(NamedTuple):
    """An object of Keras in a SavedModel: its number, the identifier of its kind (`_tf_keras_layer`), its metadata in
    JSON.
    """

    number: int
    identifier: str
    metadata: str = ""

    def __repr__(self) -> str:
        return brief(self)


VariableType = tuple[str, tuple[int, ...] | None]
"""The dtype of a variable, empty where it is unknown, and its shape, None where it is open."""


@dataclass(frozen=True, slots=True)
class SavedModel:
    """A SavedModel without its weights. `tags` are those of each graph, `variables` and `functions` the numbers of its
    variables and functions, `assets` the names of its files. `config_file` is the file with the config of Keras, empty
    where there is none. `objects` is its object graph, `keras_objects` those of Keras; `tables` are its lookup tables,
    and `variable_types` the dtypes and shapes of its variables, by the number of their object.
    """

    tensorflow_version: str | None = None
    tags: tuple[tuple[str, ...], ...] = ()
    signatures: tuple[Signature, ...] = ()
    variables: int = 0
    functions: int = 0
    assets: tuple[str, ...] = ()
    config_file: str = ""
    objects: ObjectGraph = field(default_factory=lambda: ObjectGraph(()), repr=False)
    keras_objects: tuple[KerasObject, ...] = field(default=(), repr=False)
    tables: Mapping[int, LookupTable] = field(default_factory=dict, repr=False)
    variable_types: Mapping[int, VariableType] = field(default_factory=dict, repr=False)

    __repr__ = brief

    def facts(self) -> dict[str, Any]:
        """The fields as plain values, without the objects, tables and variables of the graph."""
        inner = ("objects", "keras_objects", "tables", "variable_types")
        facts = asdict(replace(self, objects=ObjectGraph(()), keras_objects=(), tables={}, variable_types={}))
        return {key: value for key, value in facts.items() if key not in inner}
