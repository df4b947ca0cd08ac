"""`hard_sigmoid` of Keras 0 to 2, computed with the one of Keras 3, which is another function.

It was min(max(0.2x + 0.5, 0), 1) (keras/backend, 1.2.2 to 2.15) and is min(max(x / 6 + 0.5, 0), 1) (keras/src/
activations/activations.py, 3.15), so that the old function of x is the new one of 1.2x. Where x is a linear function of
weights, these are multiplied by the factor.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from ckpttool.conversion.journal import Edit, Journal, NeedKind
from ckpttool.model.arguments import Args
from ckpttool.model.entries import function_entry, layer_entry

HARD_SIGMOID = "hard_sigmoid"
FACTOR = 1.2
ANOTHER_SLOPE = "whose slope was 0.2 and is 1/6 in Keras 3"
REGISTERED = "ckpttool>hard_sigmoid"
"""The name under which `ckpttool.old_activations` registers the function of Keras 0 to 2."""
MODULE = "ckpttool.old_activations"

SCALE_WEIGHTS = Edit(
    "scale-hard-sigmoid",
    "multiplies the weights before a hard_sigmoid by 1.2, because its slope was 0.2 and is 1/6 in Keras 3",
    "up to the rounding of one multiplication for each weight",
    differs_without=True,
)
SCALE_INPUT = Edit(
    "rescale-hard-sigmoid",
    "puts a Rescaling of 1.2 before a bare hard_sigmoid, because its slope was 0.2 and is 1/6 in Keras 3",
    "up to the rounding of one multiplication",
    differs_without=True,
)
KEEP_WEIGHTS = Edit(
    "register-hard-sigmoid",
    "names the hard_sigmoid of Keras 1 and 2, which `import ckpttool.old_activations` registers (--keep-weights)",
    "always, and needs that import wherever the model is loaded",
    differs_without=True,
)
EDITS = (SCALE_WEIGHTS, SCALE_INPUT, KEEP_WEIGHTS)


class ScaledWeights(NamedTuple):
    """Weights of a layer that are multiplied by `FACTOR`: those of these slots, in the gates that are marked. Gates are
    equal parts of the last axis."""

    slots: frozenset[str]
    gates: tuple[bool, ...] = (True,)


KNOWN = frozenset(
    {
        *("celu", "elu", "exponential", "gelu", "glu", "hard_shrink", "hard_sigmoid", "hard_silu"),
        *("hard_swish", "hard_tanh", "leaky_relu", "linear", "log_sigmoid", "log_softmax", "mish", "relu"),
        *("relu6", "selu", "sigmoid", "silu", "soft_shrink", "softmax", "softplus", "softsign"),
        *("sparse_plus", "sparse_sigmoid", "sparsemax", "squareplus", "swish", "tanh", "tanh_shrink"),
        "threshold",
    }
)
"""The activations that Keras 3.15 finds by name."""

_WEIGHTS = frozenset({"kernel", "recurrent_kernel", "bias"})
# The weights that decide, linearly, on what the activation is applied to.
_LINEAR: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        **dict.fromkeys(
            ("Dense", "EinsumDense", *(f"Conv{rank}D{end}" for rank in (1, 2, 3) for end in ("", "Transpose"))),
            frozenset({"kernel", "bias"}),
        ),
        "DepthwiseConv1D": frozenset({"kernel", "bias"}),
        "DepthwiseConv2D": frozenset({"kernel", "bias"}),
        "LocallyConnected1D": frozenset({"kernel", "bias"}),
        "LocallyConnected2D": frozenset({"kernel", "bias"}),
        "SeparableConv1D": frozenset({"pointwise_kernel", "bias"}),
        "SeparableConv2D": frozenset({"pointwise_kernel", "bias"}),
    }
)
# Which gates `recurrent_activation` and `activation` are applied to; an LSTM applies the latter to its state too.
_RECURRENT: Mapping[str, tuple[tuple[bool, ...], tuple[bool, ...] | None]] = MappingProxyType(
    {
        **dict.fromkeys(("GRU", "GRUCell"), ((True, True, False), (False, False, True))),
        **dict.fromkeys(
            ("LSTM", "LSTMCell", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"), ((True, True, False, True), None)
        ),
        **dict.fromkeys(("SimpleRNN", "SimpleRNNCell"), ((False,), (True,))),
    }
)
KEYS = ("activation", "recurrent_activation")


def old_function_keys(args: Args) -> tuple[str, ...]:
    """The arguments of a layer whose value is the old function."""
    return tuple(key for key in KEYS if args.config.get(key) == HARD_SIGMOID)


def scaled_weights(args: Args) -> ScaledWeights | None:
    """The weights of a layer to be multiplied, None where no multiplication of weights has the same effect."""
    used = old_function_keys(args)
    if args.class_name in _LINEAR:
        return ScaledWeights(_LINEAR[args.class_name])
    if args.class_name not in _RECURRENT:
        return None
    by_key = dict(zip(("recurrent_activation", "activation"), _RECURRENT[args.class_name], strict=True))
    gates = [by_key[key] for key in used]
    if any(marked is None for marked in gates):
        return None
    return ScaledWeights(
        _WEIGHTS, tuple(any(marks) for marks in zip(*(marked for marked in gates if marked), strict=True))
    )


def registered_function(where: str, journal: Journal) -> Mapping[str, Any]:
    """The value of an argument for the old function, which `ckpttool.old_activations` registers."""
    journal.edit(KEEP_WEIGHTS, where)
    journal.need(REGISTERED, f"import {MODULE}", NeedKind.MODULE, MODULE)
    return function_entry("builtins", REGISTERED)


def rescaled(name: str, activation: Mapping[str, Any]) -> dict[str, Any]:
    """The config of the Sequential model that replaces a bare activation."""
    rescaling = {"name": f"{name}_scale", "scale": FACTOR, "offset": 0.0}
    behind = {**activation, "name": f"{name}_hard_sigmoid"}
    return {"name": name, "layers": [layer_entry("Rescaling", rescaling), layer_entry("Activation", behind)]}
