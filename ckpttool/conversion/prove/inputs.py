"""Inputs for a live model that a converted file was loaded into: seeded, and of the kind that each of its inputs takes.

Part of the process that `prove_child` is; nothing here imports Keras, the models bring it.
"""

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_SAMPLES = 2
SIZES = (8, 32, 128)  # of axes of which a model takes any size; one with convolutions may need more than a few
_WORDS = ("red", "two fish", "")
_FEW = 2  # the integers that every layer takes are 0 and 1

# The arguments of layers that limit the integers which they take (keras/src/layers, 3.15).
_LIMITS = {"CategoryEncoding": "num_tokens", "Embedding": "input_dim", "ReversibleEmbedding": "input_dim"}
_INDICES = frozenset({"Embedding", "ReversibleEmbedding"})  # which take floats as indices, too


@dataclass(frozen=True, slots=True)
class Kind:
    """What one input of a model takes: `limit` is the first integer that it does not, None where it takes others."""

    shape: tuple[int | None, ...]
    dtype: str
    limit: int | None = None
    sparse: bool = False
    ragged: bool = False
    size: int = SIZES[0]

    @property
    def description(self) -> str:
        """The kind in words: "(2, 6) int32 below 12"."""
        below = "" if self.limit is None else f" below {self.limit}"
        layout = " sparse" if self.sparse else " ragged" if self.ragged else ""
        return f"{self.concrete} {self.dtype}{below}{layout}"

    @property
    def concrete(self) -> tuple[int, ...]:
        """The shape of two samples; axes of any size have `size` values."""
        return (_SAMPLES, *(size or self.size for size in self.shape[1:]))

    def batch(self, rng: Any) -> Any:
        """Two samples, drawn from a generator of NumPy."""
        if self.dtype == "string":
            words = rng.choice(_WORDS, self.concrete)  # Keras takes strings as tensors of TensorFlow alone
            return importlib.import_module("tensorflow").constant(words)
        if self.limit is not None:
            return _laid_out(rng.integers(0, self.limit, self.concrete).astype(self.dtype), self)
        return _laid_out(rng.uniform(0, 1, self.concrete).astype(self.dtype), self)


def _laid_out(values: Any, kind: Kind) -> Any:
    """A batch as a sparse or ragged tensor of TensorFlow, where the input takes such."""
    if not kind.sparse and not kind.ragged:
        return values
    tf = importlib.import_module("tensorflow")  # the only backend whose models take such
    if kind.sparse:
        return tf.sparse.from_dense(values)
    lengths = [values.shape[1], max(values.shape[1] - 1, 1)] if values.ndim > 1 else None
    return tf.RaggedTensor.from_tensor(values, lengths=lengths) if lengths else values


def kinds_of(model: Any) -> list[Kind]:
    """The kind of each input of a model; of one of an own class what it was built for."""
    if getattr(model, "inputs", None):
        return [_kind(tensor, list(_takers(model, at))) for at, tensor in enumerate(model.inputs)]
    shapes = (model.get_build_config() or {}).get("input_shape")
    if not shapes:
        raise ValueError(f"a model of class {type(model).__name__}, which does not tell its inputs")
    several = isinstance(shapes[0], list | tuple)
    return [Kind(tuple(shape), "float32") for shape in (shapes if several else [shapes])]


def _kind(tensor: Any, takers: list[Any]) -> Kind:
    dtype = str(getattr(tensor.dtype, "name", tensor.dtype))
    limits = [limit for layer in takers if (limit := _limit(layer))]
    whole = "int" in dtype or dtype == "bool" or any(type(layer).__name__ in _INDICES for layer in takers)
    limit = min(limits, default=_FEW) if whole and dtype != "string" else None
    sparse, ragged = (bool(getattr(tensor, layout, False)) for layout in ("sparse", "ragged"))
    return Kind(tuple(tensor.shape), dtype, limit, sparse, ragged)


def _limit(layer: Any) -> int | None:
    """The number of integers that a layer takes, None where it does not say."""
    found = getattr(layer, _LIMITS.get(type(layer).__name__, ""), None)
    return found if isinstance(found, int) and found > 0 else None


def _takers(model: Any, at: int) -> Iterator[Any]:
    """The layers that take the values of an input of a model, inside the models that it goes into, too."""
    graph = _graph(model)
    if graph is None:
        return
    tensor = graph.inputs[at]
    for layer in graph.operations:
        inner = _graph(layer)
        for node in layer._inbound_nodes:
            for place, taken in enumerate(node.input_tensors):
                if taken is tensor:
                    yield from _takers(layer, place) if inner and place < len(inner.inputs) else iter([layer])


def _graph(layer: Any) -> Any:
    """The graph of a Functional or Sequential model; None of any other layer."""
    graph = getattr(layer, "_functional", None) or layer
    return graph if hasattr(graph, "operations") and getattr(graph, "inputs", None) else None
