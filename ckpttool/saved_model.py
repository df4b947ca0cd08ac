"""What a SavedModel says of itself beside its weights: who wrote it, under which tags, what it can be asked, what it is
made of. Nothing of its graphs is ever run.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ckpttool.object_graph import ObjectGraph


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output of a signature. A size of the shape is None where it is open, the shape where its rank is."""

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None


@dataclass(frozen=True, slots=True)
class Signature:
    """What a SavedModel can be asked under a name."""

    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


@dataclass(frozen=True, slots=True)
class LookupTable:
    """What a table is filled with when the model is loaded: keys and values, or the lines of an asset."""

    keys: tuple[bytes, ...] | tuple[int, ...] = ()
    values: tuple[bytes, ...] | tuple[int, ...] = ()
    asset: str = ""


@dataclass(frozen=True, slots=True)
class SavedModel:
    """A SavedModel without its weights. `tags` are those of each graph, `variables` the number of variables that it
    states, `functions` that of its functions, `assets` the files that it names. `config_file` is where the config of
    Keras is, empty where there is none. `objects` are those of its graph,
    `tables` its lookup tables by the number of their object.
    """

    tensorflow_version: str | None = None
    tags: tuple[tuple[str, ...], ...] = ()
    signatures: tuple[Signature, ...] = ()
    variables: int = 0
    functions: int = 0
    assets: tuple[str, ...] = ()
    config_file: str = ""
    objects: ObjectGraph = field(default_factory=lambda: ObjectGraph(()), repr=False)
    tables: Mapping[int, LookupTable] = field(default_factory=dict, repr=False)

    def facts(self) -> dict[str, Any]:
        """The same as plain values, without the objects and tables of its graph."""
        found = asdict(replace(self, objects=ObjectGraph(()), tables={}))
        return {key: value for key, value in found.items() if key not in ("objects", "tables")}
