"""Types of rules for the output shapes of layers and operations."""

from collections.abc import Callable

from ckpttool.model.arguments import Args
from ckpttool.model.graph import Call
from ckpttool.model.sizes import Shape

Outputs = tuple[Shape | None, ...]
"""The output shapes, nested structures flattened in the order of Keras's tree, None where one is not known.
The empty tuple says that not even the number of outputs is known."""

Infer = Callable[[Args, Call], Outputs]
"""A function that returns the outputs of any layer, for layers with inner ones."""

Rule = Callable[[Args, Call, Infer], Outputs]
"""The outputs of one class for one call. Raises ConfigError where arguments make no sense or inputs do not fit."""
