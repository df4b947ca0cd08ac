"""Recurrent cells, the layers that run them, Bidirectional (keras/src/layers/rnn, 3.15).

Cells come from a config, so the rows here also say what may stand where: a layer that is no cell cannot be run, and
Bidirectional takes a recurrent layer only. That bounds what a hostile config can make of Bidirectional, which doubles
what it holds. The layers here take one number of axes only, so their output is known in part even where the input is
not.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from ckpttool.model.arguments import Args, first_shape
from ckpttool.model.graph import Call
from ckpttool.model.layers.call_inputs import fitting, main, ranked, shapes
from ckpttool.model.layers.convolutional import windowed
from ckpttool.model.layers.layer_type import Build, LayerType, MaskUse, Trait, Weights
from ckpttool.model.layers.spatial import Image, channels
from ckpttool.model.layers.work import Run, Work, WorkRule, added, called_on, counted, elements, positions
from ckpttool.model.output_rule import Infer, Outputs, Rule
from ckpttool.model.sizes import Inputs, Shape, Size, times
from ckpttool.model.slots import Part, Slot, members

_CELLS = frozenset(["GRUCell", "LSTMCell", "SimpleRNNCell", "StackedRNNCells"])
RUNNING = frozenset(["ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D", "GRU", "LSTM", "RNN", "SimpleRNN"])
"""The layers that a Bidirectional runs in both directions."""
_FOR_CUDNN = frozenset({"CuDNNGRU", "CuDNNLSTM"})  # recurrent layers that Keras 3 has no more

_STATES = {"GRUCell": 1, "LSTMCell": 2, "SimpleRNNCell": 1}
_MERGES = ("concat", "sum", "mul", "ave")


def _cell(args: Args, inputs: Inputs, gates: int, bias: Shape) -> Part:
    """A cell: kernel (features, gates x units), recurrent_kernel (units, gates x units), bias."""
    units, dtype = args.size("units"), args.variable_dtype
    return args.part(
        Slot("kernel", (args.axis_of(first_shape(inputs), -1), gates * units), dtype),
        Slot("recurrent_kernel", (units, gates * units), dtype),
        Slot("bias", bias, dtype) if args.flag("use_bias", True) else None,
    )


def simple_rnn_cell_weights(args: Args, inputs: Inputs, build: Build) -> Part:
    """SimpleRNNCell: one gate."""
    return _cell(args, inputs, 1, (args.size("units"),))


def lstm_cell_weights(args: Args, inputs: Inputs, build: Build) -> Part:
    """LSTMCell: four gates, in the order input, forget, cell, output."""
    return _cell(args, inputs, 4, (4 * args.size("units"),))


def gru_cell_weights(args: Args, inputs: Inputs, build: Build) -> Part:
    """GRUCell: three gates, in the order update, reset, candidate; with `reset_after` one bias for the input and one
    for the state."""
    width = 3 * args.size("units")
    return _cell(args, inputs, 3, (2, width) if args.flag("reset_after", True) else (width,))


def cell_outputs(args: Args, call: Call, infer: Infer) -> Outputs:
    """A cell called by itself: its output, then its states, all of the same shape."""
    shape, units = ranked(args, _sequence(call), 2), args.size("units")
    return ((shape[0] if shape else None, units),) * (1 + _STATES[args.class_name])


def stacked_cells_weights(args: Args, inputs: Inputs, build: Build) -> Part:
    """StackedRNNCells: its cells, each fed with the output of the one before."""
    shape, parts = first_shape(inputs), list[Part]()
    for cell in args.layers("cells"):
        parts.append(_cell_part(args, cell, shape, build))
        shape = (None, _output_size(parts[-1]))
    return args.part(children=members("cells", parts))


def stacked_cells_outputs(args: Args, call: Call, infer: Infer) -> Outputs:
    """StackedRNNCells: the output of the last cell, then the states of each."""
    shape, sizes = ranked(args, _sequence(call), 2), _sizes(args)
    if sizes.states is None:
        return ()
    batch = shape[0] if shape else None
    return ((batch, sizes.output), *((batch, size) for size in sizes.states))


def layer_weights(cell: Weights, class_name: str, name: str) -> Weights:
    """A layer that makes its own cell, of the same arguments: SimpleRNN, LSTM, GRU."""

    def weights(args: Args, inputs: Inputs, build: Build) -> Part:
        keys = ("units", "use_bias", "reset_after", "trainable")
        arguments = {key: args.config[key] for key in keys if key in args.config}
        inner = args.child(class_name, name, **arguments)
        return args.part(children=[("cell", cell(inner, (_step(args, inputs),), build))])

    return weights


def layer_outputs(states: int) -> Rule:
    """SimpleRNN, GRU and LSTM, whose cells have so many states."""

    def rule(args: Args, call: Call, infer: Infer) -> Outputs:
        shape, units = ranked(args, _sequence(call), 3) or (None,) * 3, args.size("units")
        return _run(args, shape[:2], (units,), ((units,),) * states)

    return rule


def conv_lstm_weights(rank: int) -> Weights:
    """ConvLSTM1D to 3D: their cell has kernel (window, channels, 4 x filters), recurrent_kernel, bias; it does not
    hear whether the layer is frozen."""

    def weights(args: Args, inputs: Inputs, build: Build) -> Part:
        cell = args.child("ConvLSTMCell", "conv_lstm_cell")
        filters, window = args.size("filters"), args.numbers("kernel_size", rank)
        depth, dtype = channels(args, _step(args, inputs)), cell.variable_dtype
        slots = (
            Slot("kernel", (*window, depth, 4 * filters), dtype),
            Slot("recurrent_kernel", (*window, filters, 4 * filters), dtype),
            Slot("bias", (4 * filters,), dtype) if args.flag("use_bias", True) else None,
        )
        return args.part(children=[("cell", cell.part(*slots))])

    return weights


def conv_lstm_outputs(rank: int) -> Rule:
    """ConvLSTM1D to 3D: what a convolution makes of each step."""

    def rule(args: Args, call: Call, infer: Infer) -> Outputs:
        shape = ranked(args, _sequence(call), rank + 3)
        known = shape or (None,) * (rank + 3)
        step = Image.of(args, (known[0], *known[2:]))
        with fitting(args, shape):
            step = step.with_space(*windowed(args, step.space)).with_channels(args.size("filters"))
        return _run(args, known[:2], step.shape[1:], (step.shape[1:],) * 2)

    return rule


def rnn_weights(args: Args, inputs: Inputs, build: Build) -> Part:
    """RNN: the cell that it runs."""
    return args.part(children=[("cell", _cell_part(args, args.layer("cell"), _step(args, inputs), build))])


def rnn_outputs(args: Args, call: Call, infer: Infer) -> Outputs:
    """RNN: as many states as its cell has; one output where the cell is not known and no states are asked for."""
    sizes, stateful = _cell_sizes(args), args.flag("return_state", False)
    if sizes.output is None or (stateful and sizes.states is None):
        return () if stateful else (None,)
    shape = ranked(args, _sequence(call), 3) or (None,) * 3
    return _run(args, shape[:2], (sizes.output,), tuple((size,) for size in sizes.states or ()))


def bidirectional_weights(args: Args, inputs: Inputs, build: Build) -> Part:
    """Bidirectional: a layer for each direction, named after the one it was given, and built for what its own
    `build_config` states where it has one."""
    inner = args.layer("layer")
    part = _checked(args, build(inner, inner.built or inputs), RUNNING, "layer")
    forward = replace(part, name=f"forward_{part.name.removeprefix('forward_')}")
    backward = replace(part, name=f"backward_{part.name.removeprefix('backward_')}")
    if "backward_layer" in args:
        inner = args.layer("backward_layer")
        backward = _checked(args, build(inner, inner.built or inputs), RUNNING, "backward_layer")
    return args.part(children=[("forward_layer", forward), ("backward_layer", backward)])


def bidirectional_outputs(args: Args, call: Call, infer: Infer) -> Outputs:
    """Bidirectional: the outputs of both directions merged, or both, then the states of both.

    Keras doubles the last axis for `concat` whatever the data format.
    """
    inner = args.layer("layer")
    mode = args.choice("merge_mode", *_MERGES) if args.config.get("merge_mode", _MERGES[0]) is not None else ""
    outputs = infer(inner, call)
    if outputs and inner.class_name not in RUNNING | _FOR_CUDNN:
        raise args.error("layer", "a recurrent layer")
    if not outputs or (len(outputs) > 1) != inner.flag("return_state", False):
        return ()
    output, states = outputs[0], outputs[1:]
    merged = (output,) if mode else (output, output)
    return (_doubled(output) if mode == "concat" else output, *merged[1:], *states, *states)


def gives_sequences(class_name: str, config: Mapping[str, Any]) -> bool:
    """Whether a recurrent layer, or the one in a Bidirectional, outputs every step."""
    inner = config.get("layer") if class_name == "Bidirectional" else None
    own = inner.get("config") if isinstance(inner, Mapping) else config
    return isinstance(own, Mapping) and own.get("return_sequences") is True


def _doubled(shape: Shape | None) -> Shape | None:
    return (*shape[:-1], times(shape[-1], 2)) if shape else None


def _cell_part(args: Args, cell: Args, shape: Shape | None, build: Build) -> Part:
    return _checked(args, build(cell, cell.built or (shape,)), _CELLS, "cell")


def _checked(args: Args, part: Part, fitting: frozenset[str], key: str) -> Part:
    """The part itself; refuses a built-in class that is none of `fitting`. The user's own may be anything."""
    if part.known and part.class_name not in fitting:
        raise args.error(key, "a recurrent cell" if fitting is _CELLS else "a recurrent layer")
    return part


def _output_size(cell: Part) -> Size:
    """The size of what a cell gives out, None where its class is not known."""
    if cell.children:
        return _output_size(cell.children[-1][1])
    shape = next((slot.shape for slot in cell.slots if slot.name == "recurrent_kernel"), None)
    return shape[0] if shape else None


def _step(args: Args, inputs: Inputs) -> Shape | None:
    """The shape of one time step of the input."""
    shape = first_shape(inputs)
    if shape is None:
        return None
    if len(shape) < 3:
        raise args.error("name", "inputs with an axis for time")
    return (shape[0], *shape[2:])


def _run(args: Args, start: Shape, size: Shape, states: tuple[Shape, ...]) -> Outputs:
    """The outputs of a layer that runs a cell over an input of this batch and time."""
    output = (*start, *size) if args.flag("return_sequences", False) else (start[0], *size)
    if not args.flag("return_state", False):
        return (output,)
    return (output, *((start[0], *state) for state in states))


def _sequence(call: Call) -> Shape | None:
    """The shape of the sequence or step that goes in; older configs list the states behind it."""
    return next(iter(shapes(main(call))), None)


class _Sizes(NamedTuple):
    """The sizes of a cell's states and of its output, None where the class of the cell does not tell them."""

    states: tuple[int, ...] | None = None
    output: int | None = None


def _cell_sizes(args: Args) -> _Sizes:
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
        None if cell.class_name == "StackedRNNCells" else cell_sizes.states
        for cell, cell_sizes in zip(cells, sizes, strict=True)
    ]
    known = [cell_states for cell_states in states if cell_states is not None]
    flat = tuple(size for cell_states in known for size in cell_states)
    return _Sizes(flat if len(known) == len(states) else None, sizes[-1].output)


# Operations for each unit and step beside the products: biases, sums, activations, products of gates and states.
_OF_STEPS = {"SimpleRNN": 3, "GRU": 16, "LSTM": 17, "SimpleRNNCell": 3, "GRUCell": 16, "LSTMCell": 17}
_OF_STEPS |= {"CuDNNGRU": 16, "CuDNNLSTM": 17}
_OF_CONV_LSTM = 17


def cell_work(run: Run) -> Work | None:
    """A cell: its kernels for each row of the batch, and what its gates compute for each unit."""
    shape = _sequence(run.call)
    return None if shape is None else _of_cells(run, shape[0])


def recurrent_work(run: Run) -> Work | None:
    """SimpleRNN, GRU and LSTM: their cell at each step."""
    shape = _sequence(run.call)
    return None if shape is None else _of_cells(run, times(*shape[:2]))


def _of_cells(run: Run, steps: Size) -> Work | None:
    """The work of so many steps of one cell."""
    units = run.args.size("units")
    macs = times(steps, run.kernels("kernel", "recurrent_kernel"))
    return counted(macs, times(steps, units, _OF_STEPS[run.args.class_name]))


def conv_lstm_work(run: Run) -> Work | None:
    """ConvLSTM1D to 3D: both convolutions at each place of each step."""
    shape, output = _sequence(run.call), run.output
    if shape is None or output is None:
        return None
    step = output if not run.args.flag("return_sequences", False) else (output[0], *output[2:])
    places = times(positions(Image.of(run.args, step)), shape[1])
    gates = times(places, run.args.size("filters"), _OF_CONV_LSTM)
    return counted(times(places, run.kernels("kernel", "recurrent_kernel")), gates)


def rnn_work(run: Run) -> Work | None:
    """RNN: the cell that it runs, at each step; a list of cells is stacked."""
    shape = _sequence(run.call)
    if shape is None or len(shape) < 3 or shape[1] is None:
        return None
    cells = run.args.layers("cell") if isinstance(run.args.config.get("cell"), list) else [run.args.layer("cell")]
    work = _of_stack(run, cells, (shape[0], *shape[2:]))
    return work and work.repeated(shape[1])


def stacked_cells_work(run: Run) -> Work | None:
    """StackedRNNCells: each cell on the output of the one before."""
    return _of_stack(run, run.args.layers("cells"), _sequence(run.call))


def _of_stack(run: Run, cells: list[Args], shape: Shape | None) -> Work | None:
    works = []
    for cell in cells:
        works.append(run.work_of(cell, called_on(shape)))
        shape = None if shape is None else (shape[0], _sizes(cell).output)
    return added(*works)


def bidirectional_work(run: Run) -> Work | None:
    """Bidirectional: both directions, and an operation for each value where their outputs are added or multiplied."""
    inner = [run.args.layer("layer")]
    inner += [run.args.layer("backward_layer") if "backward_layer" in run.args else inner[0]]
    mode = run.args.config.get("merge_mode", _MERGES[0])
    merged = elements(run.output) if mode in ("sum", "mul", "ave") else 0
    return added(*(run.work_of(layer, run.call) for layer in inner), counted(other=merged))


_SEQUENCES = ("sequences", "initial_state", "mask", "training")


def _cell_row(weights: Weights, outputs: Rule = cell_outputs, work: WorkRule = cell_work) -> LayerType:
    return LayerType(weights, outputs, kind="cell", parameters=("inputs", "states", "training"), work=work)


def _row(weights: Weights, outputs: Rule, work: WorkRule = recurrent_work) -> LayerType:
    masks = MaskUse.USED | MaskUse.TAKEN
    return LayerType(weights, outputs, "recurrent", masks, _SEQUENCES, takes_training=True, work=work)


ROWS = {
    "SimpleRNNCell": _cell_row(simple_rnn_cell_weights),
    "GRUCell": _cell_row(gru_cell_weights),
    "LSTMCell": _cell_row(lstm_cell_weights),
    "StackedRNNCells": _cell_row(stacked_cells_weights, stacked_cells_outputs, stacked_cells_work),
    "SimpleRNN": _row(layer_weights(simple_rnn_cell_weights, "SimpleRNNCell", "simple_rnn_cell"), layer_outputs(1)),
    "GRU": _row(layer_weights(gru_cell_weights, "GRUCell", "gru_cell"), layer_outputs(1)),
    "LSTM": _row(layer_weights(lstm_cell_weights, "LSTMCell", "lstm_cell"), layer_outputs(2)),
    **{
        f"ConvLSTM{rank}D": _row(conv_lstm_weights(rank), conv_lstm_outputs(rank), conv_lstm_work) for rank in (1, 2, 3)
    },
    "RNN": _row(rnn_weights, rnn_outputs, rnn_work),
    "Bidirectional": _row(bidirectional_weights, bidirectional_outputs, bidirectional_work)._replace(
        traits=Trait.TWO_WAYS
    ),
}
