"""Seeded inputs for a live model, of the kind that each of its inputs accepts.

This runs in the process of `prove.child`. Nothing here imports Keras: the model's own methods are enough.
"""

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_SAMPLES = 2
_MOST_SAMPLES = 1024  # of a model whose config states its batch, as a stateful one has to
SIZES = (8, 32, 128)  # of open axes, tried one after the other: a model with convolutions may need a large one
_TEXTS = ("red", "two fish", "")
_FEW = 2  # every layer accepts the integers 0 and 1

# The arguments of layers that limit the integers in their inputs (keras/src/layers, 3.15).
_LIMITS = {"CategoryEncoding": "num_tokens", "Embedding": "input_dim", "ReversibleEmbedding": "input_dim"}
_INDICES = frozenset({"Embedding", "ReversibleEmbedding"})  # which accept floats as indices, too


@dataclass(frozen=True, slots=True)
class Kind:
    """The kind of an input: shape, dtype and layout. `limit` is the first integer that it does not accept, None where
    it accepts other values."""

    shape: tuple[int | None, ...]
    dtype: str
    limit: int | None = None
    sparse: bool = False
    ragged: bool = False
    size: int = SIZES[0]

    @property
    def description(self) -> str:
        """The kind as a text: "(2, 6) int32 below 12"."""
        below = "" if self.limit is None else f" below {self.limit}"
        layout = " sparse" if self.sparse else " ragged" if self.ragged else ""
        return f"{self.concrete} {self.dtype}{below}{layout}"

    @property
    def concrete(self) -> tuple[int, ...]:
        """The shape of two samples, or of as many as the model states; other axes of any size have `size` values."""
        size = self.shape[0] if self.shape else None
        samples = size if size and size <= _MOST_SAMPLES else _SAMPLES
        return (samples, *(length or self.size for length in self.shape[1:]))

    def batch(self, rng: Any) -> Any:
        """A batch of that shape, drawn from a generator of NumPy."""
        if self.dtype == "string":
            texts = rng.choice(_TEXTS, self.concrete)  # Keras takes strings as tensors of TensorFlow alone
            return importlib.import_module("tensorflow").constant(texts)
        if self.limit is not None:
            return _in_layout(rng.integers(0, self.limit, self.concrete).astype(self.dtype), self)
        return _in_layout(rng.uniform(0, 1, self.concrete).astype(self.dtype), self)


def _in_layout(values: Any, kind: Kind) -> Any:
    """The batch, as a sparse or ragged tensor of TensorFlow where the input is such."""
    if not kind.sparse and not kind.ragged:
        return values
    tf = importlib.import_module("tensorflow")  # the only backend with such tensors
    if kind.sparse:
        return tf.sparse.from_dense(values)
    shorter = [max(values.shape[1] - 1, 1)] * (len(values) - 1) if values.ndim > 1 else []
    lengths = [values.shape[1], *shorter] if values.ndim > 1 else None
    return tf.RaggedTensor.from_tensor(values, lengths=lengths) if lengths else values


def kinds_of(model: Any) -> list[Kind]:
    """The kind of each input of a model; for a model of an own class, by the shapes that it was built for."""
    if getattr(model, "inputs", None):
        return [_kind(tensor, list(_takers(model, at))) for at, tensor in enumerate(model.inputs)]
    shapes = (model.get_build_config() or {}).get("input_shape")
    if not shapes:
        raise ValueError(f"a model of class {type(model).__name__}, whose inputs are not known")
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
    """The number of integers that a layer accepts, None where it does not limit them."""
    limit = getattr(layer, _LIMITS.get(type(layer).__name__, ""), None)
    return limit if isinstance(limit, int) and limit > 0 else None


def _takers(model: Any, at: int) -> Iterator[Any]:
    """The layers to which an input of a model is passed, also those within inner models."""
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
