"""Arguments of calls of layers for Keras 3, where a graph of Keras 1 or 2 passes them differently."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ckpttool.conversion.config import overridden_calls
from ckpttool.conversion.journal import Edit, Journal
from ckpttool.model.arguments import Args
from ckpttool.model.graph import UNKNOWN_SHAPE, Call, Tensor
from ckpttool.model.layers.table import of_kind

STATES_BY_NAME = Edit(
    "states-by-name",
    "passes the initial state of a recurrent layer as `initial_state`, which Keras 1 and 2 had among its inputs",
    "always: the same state",
)
CAUSAL_BY_CALL = Edit(
    "causal-by-call", "passes `use_causal_mask` in calls, which was an argument of the layer", "always: the same mask"
)
DROP_CALL_ARGUMENT = Edit(
    "drop-call-argument",
    "leaves out an argument of a call that asks for nothing",
    "it is null, or the layer does the same in training and inference",
)
LIST_OF_ONE = Edit(
    "list-of-one",
    "calls a layer that merges tensors with a list, where Keras 2 wrote a list of one as its tensor",
    "always: the same call",
)
EDITS = (LIST_OF_ONE, STATES_BY_NAME, CAUSAL_BY_CALL, DROP_CALL_ARGUMENT)

_RECURRENT = of_kind("recurrent")
_MERGING = of_kind("elementwise merge") - {"Subtract"} | {"Concatenate"}  # of any number of tensors, one too
_ATTENTION = of_kind("attention")


def keras3_call(args: Args, call: Call, where: str, journal: Journal) -> Call:
    """A call of a layer with its arguments as Keras 3 takes them. Raises ConfigError."""
    overridden_calls.check(args, call, where, journal)
    changes = (_with_list, _with_state, _with_causal_mask)
    for change in (_without_neutral_arguments, *(() if overridden_calls.is_own(args) else changes)):
        call = change(args, call, where, journal)
    return call


def _without_neutral_arguments(args: Args, call: Call, where: str, journal: Journal) -> Call:
    """The call without arguments that are null, and without `training` where the layer does not take it."""
    takes_training = overridden_calls.takes_training(args)
    neutral = [key for key, value in call.kwargs.items() if value is None or (key == "training" and not takes_training)]
    dropped = [f"{key}={call.kwargs[key]!r}" for key in neutral if call.kwargs[key] is not None]
    if dropped:
        journal.edit(DROP_CALL_ARGUMENT, where, ", ".join(dropped))
    return replace(call, kwargs={key: value for key, value in call.kwargs.items() if key not in neutral})


def _with_list(args: Args, call: Call, where: str, journal: Journal) -> Call:
    """The call of a merging layer with a list. Keras 2 writes a list with a single tensor as that tensor."""
    if args.class_name not in _MERGING or not call.args or not isinstance(call.args[0], Tensor):
        return call
    journal.edit(LIST_OF_ONE, where)
    if not args.config.keys() & {"axis", "axes"}:  # which no class of the author's own is likely to state
        journal.guess(where, f"{args.class_name} of one tensor is Keras's, which gives it, and no class of yours")
    return replace(call, args=([call.args[0]], *call.args[1:]))


def _with_state(args: Args, call: Call, where: str, journal: Journal) -> Call:
    """The call of a recurrent layer with `initial_state`, where its input is a list of input and states."""
    first = call.args[0] if call.args else None
    if args.class_name not in _RECURRENT or not isinstance(first, list) or len(first) < 2:
        return call
    constants = args.config.get("num_constants")
    if constants:
        journal.refuse(where, "a recurrent layer that is called with constants, which Keras 3 does not take")
        return call
    journal.edit(STATES_BY_NAME, where, f"{len(first) - 1} states")
    states: Any = first[1:] if len(first) > 2 or args.class_name in ("Bidirectional", "LSTM") else first[1]
    return Call((first[0], *call.args[1:]), {**call.kwargs, "initial_state": states})


def _with_causal_mask(args: Args, call: Call, where: str, journal: Journal) -> Call:
    if args.class_name not in _ATTENTION or args.config.get("causal") is not True:
        return call
    journal.edit(CAUSAL_BY_CALL, where)
    return replace(call, kwargs={**call.kwargs, "use_causal_mask": True})


def serialized_argument(value: Any, dtype_of: Callable[[Tensor], str]) -> Any:
    """An argument of a call in the form in which Keras 3 saves it (`serialize_node`, keras/src/models/functional.py,
    3.15)."""
    if isinstance(value, Tensor):
        history = [value.layer, value.node, value.output]
        shape = {"shape": [None], UNKNOWN_SHAPE: True} if value.shape is None else {"shape": list(value.shape)}
        config = {**shape, "dtype": dtype_of(value), "keras_history": history}
        return {"class_name": "__keras_tensor__", "config": config}
    if isinstance(value, slice):
        config = {"start": value.start, "stop": value.stop, "step": value.step}
        return {"class_name": "__slice__", "config": config}
    if isinstance(value, tuple):
        return {"class_name": "__tuple__", "items": [serialized_argument(item, dtype_of) for item in value]}
    if isinstance(value, list):
        return [serialized_argument(item, dtype_of) for item in value]
    if isinstance(value, dict):
        return {key: serialized_argument(item, dtype_of) for key, item in value.items()}
    return value
