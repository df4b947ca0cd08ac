"""Recurrent cells, the layers that run them, Bidirectional (keras/src/layers/rnn, 3.15).

Cells come from a config, so the rows here also say what may stand where: a layer that is no cell cannot be run, and
Bidirectional takes a recurrent layer only. That bounds what a hostile config can make of Bidirectional, which doubles
what it holds.
"""

from collections.abc import Callable
from dataclasses import replace

from ckpttool.model.arguments import Args, first
from ckpttool.model.layers.convolutional import channels
from ckpttool.model.sizes import Inputs, Shape, Size
from ckpttool.model.slots import Part, Slot, members

Row = Callable[[Args, Inputs], Part]
Build = Callable[[Args, Inputs], Part]
"""What makes the part of an object that a layer holds."""

CELLS = frozenset({"GRUCell", "LSTMCell", "SimpleRNNCell", "StackedRNNCells"})
LAYERS = frozenset({"ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D", "GRU", "LSTM", "RNN", "SimpleRNN"})


def _cell(args: Args, inputs: Inputs, gates: int, bias: Shape) -> Part:
    """A cell: kernel (features, gates x units), recurrent_kernel (units, gates x units), bias."""
    units, dtype = args.size("units"), args.variable_dtype
    return args.part(
        Slot("kernel", (args.axis_of(first(inputs), -1), gates * units), dtype),
        Slot("recurrent_kernel", (units, gates * units), dtype),
        Slot("bias", bias, dtype) if args.flag("use_bias", True) else None,
    )


def simple_rnn_cell(args: Args, inputs: Inputs) -> Part:
    """SimpleRNNCell: one gate."""
    return _cell(args, inputs, 1, (args.size("units"),))


def lstm_cell(args: Args, inputs: Inputs) -> Part:
    """LSTMCell: four gates, in the order input, forget, cell, output."""
    return _cell(args, inputs, 4, (4 * args.size("units"),))


def gru_cell(args: Args, inputs: Inputs) -> Part:
    """GRUCell: three gates, in the order update, reset, candidate; with `reset_after` one bias for the input and one
    for the state."""
    width = 3 * args.size("units")
    return _cell(args, inputs, 3, (2, width) if args.flag("reset_after", True) else (width,))


def layer_of(cell: Row, class_name: str, name: str) -> Row:
    """A layer that makes its own cell, of the same arguments: SimpleRNN, LSTM, GRU."""

    def row(args: Args, inputs: Inputs) -> Part:
        keys = ("units", "use_bias", "reset_after", "trainable")
        given = {key: args.config[key] for key in keys if key in args.config}
        return args.part(children=[("cell", cell(args.made(class_name, name, **given), (_step(args, inputs),)))])

    return row


def conv_lstm(rank: int) -> Row:
    """ConvLSTM1D to 3D: their cell has kernel (window, channels, 4 x filters), recurrent_kernel, bias; it does not
    hear whether the layer is frozen."""

    def row(args: Args, inputs: Inputs) -> Part:
        cell = args.made("ConvLSTMCell", "conv_lstm_cell")
        filters, window = args.size("filters"), args.numbers("kernel_size", rank)
        depth, dtype = channels(args, (_step(args, inputs),)), cell.variable_dtype
        slots = (
            Slot("kernel", (*window, depth, 4 * filters), dtype),
            Slot("recurrent_kernel", (*window, filters, 4 * filters), dtype),
            Slot("bias", (4 * filters,), dtype) if args.flag("use_bias", True) else None,
        )
        return args.part(children=[("cell", cell.part(*slots))])

    return row


def rnn(args: Args, inputs: Inputs, build: Build) -> Part:
    """RNN: the cell that it runs."""
    return args.part(children=[("cell", _held_cell(args, args.layer("cell"), _step(args, inputs), build))])


def stacked_rnn_cells(args: Args, inputs: Inputs, build: Build) -> Part:
    """StackedRNNCells: its cells, each fed with the output of the one before."""
    shape, parts = first(inputs), list[Part]()
    for cell in args.layers("cells"):
        parts.append(_held_cell(args, cell, shape, build))
        shape = (None, _output_size(parts[-1]))
    return args.part(children=members("cells", parts))


def bidirectional(args: Args, inputs: Inputs, build: Build) -> Part:
    """Bidirectional: a layer for each direction, named after the one it was given, and built for what its own
    `build_config` states where it has one."""
    held = args.layer("layer")
    part = _checked(args, build(held, held.built or inputs), LAYERS, "layer")
    forward = replace(part, name=f"forward_{part.name.removeprefix('forward_')}")
    backward = replace(part, name=f"backward_{part.name.removeprefix('backward_')}")
    if "backward_layer" in args:
        held = args.layer("backward_layer")
        backward = _checked(args, build(held, held.built or inputs), LAYERS, "backward_layer")
    return args.part(children=[("forward_layer", forward), ("backward_layer", backward)])


def _held_cell(args: Args, cell: Args, shape: Shape | None, build: Build) -> Part:
    return _checked(args, build(cell, cell.built or (shape,)), CELLS, "cell")


def _checked(args: Args, part: Part, fitting: frozenset[str], key: str) -> Part:
    """The part itself; refuses a built-in class that is none of `fitting`. The user's own may be anything."""
    if part.known and part.class_name not in fitting:
        raise args.error(key, "a recurrent cell" if fitting is CELLS else "a recurrent layer")
    return part


def _output_size(cell: Part) -> Size:
    """The size of what a cell gives out, None where its class is not known."""
    if cell.children:
        return _output_size(cell.children[-1][1])
    shape = next((slot.shape for slot in cell.slots if slot.name == "recurrent_kernel"), None)
    return shape[0] if shape else None


def _step(args: Args, inputs: Inputs) -> Shape | None:
    """The shape of one time step of the input."""
    shape = first(inputs)
    if shape is None:
        return None
    if len(shape) < 3:
        raise args.error("name", "inputs with an axis for time")
    return (shape[0], *shape[2:])
