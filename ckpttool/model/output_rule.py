"""What a rule for the output shapes of a layer or an operation takes and gives."""

from collections.abc import Callable

from ckpttool.model.arguments import Args
from ckpttool.model.graph import Call
from ckpttool.model.sizes import Shape

Outputs = tuple[Shape | None, ...]
"""The shapes of what comes out, nested structures flattened in the order of Keras's tree, None where one is not known.
The empty tuple says that not even the number of outputs is known."""

Infer = Callable[[Args, Call], Outputs]
"""What gives the outputs of any layer, for layers that hold others."""

Rule = Callable[[Args, Call, Infer], Outputs]
"""The outputs of one class for one call. Raises ConfigError where arguments make no sense or inputs do not fit."""
