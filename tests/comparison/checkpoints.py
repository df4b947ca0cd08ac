"""Checkpoints that are in no file, for tests: layers by name, each with its weights."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from ckpttool.checkpoint import Checkpoint, Section, Weight

Array = np.ndarray[Any, Any]
Layers = Mapping[str, Mapping[str, Array]]
"""The weights of a model by layer and name."""


@dataclass(frozen=True)
class Memory:
    """Values that are in memory."""

    raw: bytes

    def pieces(self, limit: int) -> Iterator[bytes]:
        """The bytes in pieces of `limit`."""
        for start in range(0, len(self.raw), limit):
            yield self.raw[start : start + limit]

    def part(self, start: int, stop: int) -> "Memory":
        """The bytes from `start` up to `stop`."""
        return Memory(self.raw[start:stop])


def checkpoint(layers: Layers, kind: str = "legacy-weights", name: str = "m.h5") -> Checkpoint:
    """A checkpoint of legacy weights, which name their layers."""
    weights = {}
    for layer, arrays in layers.items():
        for label, array in arrays.items():
            path = f"{layer}/{label}"
            values = Memory(np.ascontiguousarray(array).tobytes())
            weights[path] = Weight(
                path, array.shape, str(array.dtype), array.nbytes, Section.MODEL, layer, "", label, False, values
            )
    size = sum(weight.nbytes for weight in weights.values())
    return Checkpoint(Path(name), kind, size, weights, layer_names=tuple(layers))


def dense(seed: int, inputs: int = 3, units: int = 4, dtype: str = "float32") -> dict[str, Array]:
    """The weights of a Dense layer, random and repeatable."""
    random = np.random.default_rng(seed)
    return {
        "kernel": random.normal(size=(inputs, units)).astype(dtype),
        "bias": random.normal(size=units).astype(dtype),
    }


@st.composite
def models(draw: st.DrawFn) -> dict[str, dict[str, Array]]:
    """Some layers of some shapes, with names that Keras or a user gives; some alike, some zero, some with NaN."""
    names = draw(
        st.lists(
            st.sampled_from(["dense", "dense_1", "dense_2", "dense_10", "head", "a/b", "a/c", "block_1", "block_2"]),
            min_size=1,
            max_size=6,
            unique=True,
        )
    )
    members = {}
    for name in names:
        seed, inputs, units = draw(st.integers(0, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 3))
        dtype = draw(st.sampled_from(["float32", "float32", "float16"]))
        layer = dense(seed, inputs, units, dtype)
        spoiled = draw(st.sampled_from([None, None, None, 0.0, np.nan, np.inf]))
        if spoiled is not None:
            layer["kernel"][0, 0] = spoiled
        if draw(st.booleans()) and draw(st.booleans()):
            layer = {label: np.zeros_like(array) for label, array in layer.items()}
        members[name] = layer
    return members
