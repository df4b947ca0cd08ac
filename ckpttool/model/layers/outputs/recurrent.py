"""Recurrent cells, the layers that run them, Bidirectional (keras/src/layers/rnn, 3.15).

The layers here take one number of axes only, so what comes out of them is known in part even where the input is not.
"""

from dataclasses import dataclass

from ckpttool.model.arguments import Args
from ckpttool.model.graph import Call
from ckpttool.model.layers.outputs.call_inputs import fitting, main, ranked, shapes
from ckpttool.model.layers.outputs.convolutional import windowed
from ckpttool.model.layers.outputs.rule import Infer, Outputs, Rule
from ckpttool.model.layers.outputs.spatial import Image
from ckpttool.model.layers.recurrent import LAYERS
from ckpttool.model.sizes import Shape, times

_STATES = {"GRUCell": 1, "LSTMCell": 2, "SimpleRNNCell": 1}
_MERGES = ("concat", "sum", "mul", "ave")

_FOR_CUDNN = frozenset({"CuDNNGRU", "CuDNNLSTM"})  # recurrent layers that Keras 3 has no more


def cell(args: Args, call: Call, infer: Infer) -> Outputs:
    """A cell called by itself: its output, then its states, all of the same shape."""
    shape, units = ranked(args, _sequence(call), 2), args.size("units")
    return ((shape[0] if shape else None, units),) * (1 + _STATES[args.class_name])


def stacked_cells(args: Args, call: Call, infer: Infer) -> Outputs:
    """StackedRNNCells: the output of the last cell, then the states of each."""
    shape, sizes = ranked(args, _sequence(call), 2), _sizes(args)
    if sizes.states is None:
        return ()
    batch = shape[0] if shape else None
    return ((batch, sizes.output), *((batch, size) for size in sizes.states))


def layer_of(states: int) -> Rule:
    """SimpleRNN, GRU and LSTM, whose cells have so many states."""

    def rule(args: Args, call: Call, infer: Infer) -> Outputs:
        shape, units = ranked(args, _sequence(call), 3) or (None,) * 3, args.size("units")
        return _run(args, shape[:2], (units,), ((units,),) * states)

    return rule


def rnn(args: Args, call: Call, infer: Infer) -> Outputs:
    """RNN: as many states as its cell has; one output where the cell is not known and no states are asked for."""
    sizes, stateful = _held_sizes(args), args.flag("return_state", False)
    if sizes.output is None or (stateful and sizes.states is None):
        return () if stateful else (None,)
    shape = ranked(args, _sequence(call), 3) or (None,) * 3
    return _run(args, shape[:2], (sizes.output,), tuple((size,) for size in sizes.states or ()))


def conv_lstm(rank: int) -> Rule:
    """ConvLSTM1D to 3D: what a convolution makes of each step."""

    def rule(args: Args, call: Call, infer: Infer) -> Outputs:
        shape = ranked(args, _sequence(call), rank + 3)
        known = shape or (None,) * (rank + 3)
        step = Image.of(args, (known[0], *known[2:]))
        with fitting(args, shape):
            step = step.with_space(*windowed(args, step.space)).with_channels(args.size("filters"))
        return _run(args, known[:2], step.shape[1:], (step.shape[1:],) * 2)

    return rule


def _run(args: Args, start: Shape, made: Shape, states: tuple[Shape, ...]) -> Outputs:
    """What comes out of a layer that runs a cell over an input of this batch and time."""
    output = (*start, *made) if args.flag("return_sequences", False) else (start[0], *made)
    if not args.flag("return_state", False):
        return (output,)
    return (output, *((start[0], *state) for state in states))


def _sequence(call: Call) -> Shape | None:
    """The shape of the sequence or step that goes in; older configs list the states behind it."""
    return next(iter(shapes(main(call))), None)


@dataclass(frozen=True, slots=True)
class _Sizes:
    """The sizes of a cell's states and of its output, None where the class of the cell does not tell them."""

    states: tuple[int, ...] | None = None
    output: int | None = None


def _held_sizes(args: Args) -> _Sizes:
    """The sizes of the cell that a layer runs; a list of cells is stacked."""
    if isinstance(args.config.get("cell"), list):
        return _stacked(args, args.layers("cell"))
    return _sizes(args.layer("cell"))


def _sizes(args: Args) -> _Sizes:
    if args.foreign:
        return _Sizes()
    if args.class_name == "StackedRNNCells":
        return _stacked(args, args.layers("cells"))
    count = _STATES.get(args.class_name)
    return _Sizes() if count is None else _Sizes((args.size("units"),) * count, args.size("units"))


def _stacked(args: Args, cells: list[Args]) -> _Sizes:
    """The sizes of all states of some cells, and of the output of the last. States of cells that are stacked
    themselves are left open: Keras does not run some of those."""
    if not cells:
        raise args.error("cells", "at least one cell")
    sizes = [_sizes(cell) for cell in cells]
    states = [
        None if cell.class_name == "StackedRNNCells" else each.states for cell, each in zip(cells, sizes, strict=True)
    ]
    known = [each for each in states if each is not None]
    flat = tuple(size for each in known for size in each)
    return _Sizes(flat if len(known) == len(states) else None, sizes[-1].output)


def bidirectional(args: Args, call: Call, infer: Infer) -> Outputs:
    """Bidirectional: the outputs of both directions merged, or both, then the states of both.

    Keras doubles the last axis for `concat` whatever the data format.
    """
    held = args.layer("layer")
    mode = args.choice("merge_mode", *_MERGES) if args.config.get("merge_mode", _MERGES[0]) is not None else ""
    found = infer(held, call)
    if found and held.class_name not in LAYERS | _FOR_CUDNN:
        raise args.error("layer", "a recurrent layer")
    if not found or (len(found) > 1) != held.flag("return_state", False):
        return ()
    output, states = found[0], found[1:]
    merged = (output,) if mode else (output, output)
    return (_doubled(output) if mode == "concat" else output, *merged[1:], *states, *states)


def _doubled(shape: Shape | None) -> Shape | None:
    return (*shape[:-1], times(shape[-1], 2)) if shape else None
