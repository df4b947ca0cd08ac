"""Arrangements: how the array of an old layer becomes that of its replacement (transposed, regrouped, summed)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    import numpy as np


class Arrangement(Protocol):
    """A function from a stored array to the new one."""

    @property
    def description(self) -> str:
        """The change, as a phrase."""

    def shape(self, stored: tuple[int, ...]) -> tuple[int, ...]:
        """The new shape of an array of this shape."""

    def apply(self, values: np.ndarray) -> np.ndarray:
        """The new values, in the new shape."""


class Cudnn(NamedTuple):
    """A weight in the layout of cuDNN: the name of the slot and its number of gates.

    Biases for input and state are added, or stay two rows where the state is multiplied before it is reset
    (`_convert_rnn_weights`, keras/engine/saving.py, 2.2.4).
    """

    slot: str
    gates: int

    @property
    def description(self) -> str:
        """The change, as a phrase."""
        return "rearranged from the layout of cuDNN"

    def shape(self, stored: tuple[int, ...]) -> tuple[int, ...]:
        """The new shape."""
        if self.slot != "bias":
            return stored
        return (stored[0] // 2,) if self.gates == 4 else (2, stored[0] // 2)

    def apply(self, values: np.ndarray) -> np.ndarray:
        """The new values."""
        import numpy as np

        if self.slot == "bias":
            halves = values.reshape(2, -1)
            summed: np.ndarray = halves.sum(axis=0) if self.gates == 4 else halves
            return summed
        gates = np.split(values, self.gates, axis=1)
        if self.slot == "kernel":
            return np.concatenate([gate.T.reshape(gate.shape, order="F") for gate in gates], axis=1)
        return np.concatenate([gate.T for gate in gates], axis=1)
