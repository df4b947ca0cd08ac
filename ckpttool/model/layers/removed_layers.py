"""Layers that no Keras 3 has any more: rows in the names and layouts of Keras 2.

Sources: keras/legacy/layers.py and keras/layers/cudnn_recurrent.py (2.2.4), keras/layers/local.py (2.2.4),
keras/engine/topology.py, keras/layers/core.py and advanced_activations.py (1.2.2), keras/src/layers/locally_connected,
keras/src/layers/kernelized.py, keras/src/layers/preprocessing/image_preprocessing.py and keras/src/engine/base_layer.py
(2.15), tensorflow/python/keras/layers/preprocessing/category_crossing.py (2.4).
"""

from ckpttool.model.arguments import Args, first_shape
from ckpttool.model.graph import Call
from ckpttool.model.layers.call_inputs import at_least, listed, ranked, sole
from ckpttool.model.layers.elementwise import same
from ckpttool.model.layers.layer_type import Build, LayerType, MaskUse, Trait, Weights, each
from ckpttool.model.layers.merge import dot, dot_macs
from ckpttool.model.layers.normalization import features
from ckpttool.model.layers.quantization import fixed
from ckpttool.model.layers.recurrent import layer_outputs, recurrent_work
from ckpttool.model.layers.spatial import channels
from ckpttool.model.layers.work import (
    Run,
    Work,
    WorkRule,
    counted,
    each_output,
    elements,
    has_bias,
    no_work,
    of_activation,
    with_bias_and_activation,
)
from ckpttool.model.output_rule import Infer, Outputs, Rule
from ckpttool.model.sizes import Inputs, Shape, Size, times, total
from ckpttool.model.slots import Part, Slot


def _slots(args: Args, **shapes: Shape | None) -> list[Slot]:
    return [Slot(name, shape, args.variable_dtype) for name, shape in shapes.items()]


def highway_weights(args: Args, inputs: Inputs, build: Build) -> Part:
    """Highway: W and W_carry (features, features), then their biases; it kept these names in Keras 2."""
    size = args.axis_of(first_shape(inputs), -1)
    slots = _slots(args, W=(size, size), W_carry=(size, size))
    return args.part(*slots, *(_slots(args, b=(size,), b_carry=(size,)) if args.flag("bias", True) else ()))


def maxout_dense_weights(args: Args, inputs: Inputs, build: Build) -> Part:
    """MaxoutDense: W (features of output, input, units), b; it kept these names in Keras 2."""
    units, count = args.size("output_dim"), args.size("nb_feature", 4)
    slots = _slots(args, W=(count, args.axis_of(first_shape(inputs), -1), units))
    return args.part(*slots, *(_slots(args, b=(count, units)) if args.flag("bias", True) else ()))


def highway_work(run: Run) -> Work | None:
    """Highway: two kernels with biases, an activation for one and a sigmoid for the other, which weighs the first
    against the input."""
    count = elements(run.output)
    biases = 2 if run.args.flag("bias", True) else 0
    function = of_activation(run.args.config.get("activation"), count)
    weighing = 5  # a sigmoid, a product, a difference, a product, a sum
    return counted(times(_rows(run), run.kernels("W", "W_carry")), total(times(count, biases + weighing), function))


def maxout_dense_work(run: Run) -> Work | None:
    """MaxoutDense: a kernel with a bias for each feature of an output, and the maximum of these."""
    kernel, count = run.kernels("W"), times(elements(run.output), run.args.size("nb_feature", 4))
    return counted(times(_rows(run), kernel), times(count, 2 if run.args.flag("bias", True) else 1))


def fourier_work(run: Run) -> Work | None:
    """RandomFourierFeatures: its kernel, which is scaled once, with a bias, and a cosine."""
    return counted(times(_rows(run), run.kernels("unscaled_kernel")), times(elements(run.output), 2))


def _rows(run: Run) -> Size:
    """The number of rows that a layer multiplies by its kernel."""
    return run.input[0] if run.input else None


def projected_outputs(args: Args, call: Call, infer: Infer) -> Outputs:
    """MaxoutDense and RandomFourierFeatures: `output_dim` features."""
    shape = ranked(args, sole(args, call), 2) or (None, None)
    return ((shape[0], args.size("output_dim")),)


def parametric_weights(*names: str) -> Weights:
    """A layer of Keras 1 that has several weights for each feature: ParametricSoftplus, SReLU."""

    def weights(args: Args, inputs: Inputs, build: Build) -> Part:
        return args.part(*_slots(args, **dict.fromkeys(names, features(args, first_shape(inputs)))))

    return weights


def cudnn_weights(gates: int, class_name: str) -> Weights:
    """CuDNNGRU and CuDNNLSTM: kernel, recurrent_kernel, and a bias that is twice as long as without cuDNN.

    The part says that it is the layer for any device, because it may stand wherever that may (in Bidirectional). Its
    kernels are laid out otherwise: `_convert_rnn_weights` in keras/engine/saving.py, 2.2.4.
    """

    def weights(args: Args, inputs: Inputs, build: Build) -> Part:
        units = args.size("units")
        slots = _slots(
            args,
            kernel=(args.axis_of(first_shape(inputs), -1), gates * units),
            recurrent_kernel=(units, gates * units),
            bias=(2 * gates * units,),
        )
        return args.as_class(class_name).part(*slots)

    return weights


def locally_connected_weights(rank: int) -> Weights:
    """LocallyConnected1D and 2D: a kernel for each place of the output, and a bias (places of the output, filters)."""

    def weights(args: Args, inputs: Inputs, build: Build) -> Part:
        filters, places = args.size("filters"), _places(args, inputs, rank)
        bias = _slots(args, bias=(*places[1], filters)) if args.flag("use_bias", True) else ()
        return args.part(*_slots(args, kernel=_local_kernel(args, inputs, places, rank)), *bias)

    return weights


def locally_connected_outputs(rank: int) -> Rule:
    """LocallyConnected1D and 2D: what a convolution makes of the axes of space."""

    def rule(args: Args, call: Call, infer: Infer) -> Outputs:
        shape = ranked(args, sole(args, call), rank + 2)
        _, space = _places(args, (shape,), rank)
        batch, filters = shape[0] if shape else None, args.size("filters")
        channels_first = args.config.get("data_format") == "channels_first"
        return ((batch, filters, *space) if channels_first else (batch, *space, filters),)

    return rule


def locally_connected_work(rank: int) -> WorkRule:
    """LocallyConnected1D and 2D: what a convolution does, a window for each value of the output."""

    def work(run: Run) -> Work | None:
        windows, depth = run.args.numbers("kernel_size", rank), channels(run.args, run.input)
        return with_bias_and_activation(run, times(elements(run.output), *windows, depth), has_bias(run.args))

    return work


_Places = tuple[Shape, Shape]
"""The lengths of the spatial axes of input and output."""


def _places(args: Args, inputs: Inputs, rank: int) -> _Places:
    """The lengths of the spatial axes that LocallyConnected1D or 2D takes and gives."""
    shape = first_shape(inputs)
    if shape is None:
        return (None,) * rank, (None,) * rank
    if len(shape) != rank + 2:
        raise args.error("name", f"an input with {rank + 2} axes")
    before = shape[2:] if args.config.get("data_format") == "channels_first" else shape[1:-1]
    windows, strides = args.numbers("kernel_size", rank), args.numbers("strides", rank, 1)
    is_padded = args.choice("padding", "valid", "same") == "same"
    sizes = [
        None if size is None else -(-(size if is_padded else size - window + 1) // stride)
        for size, window, stride in zip(before, windows, strides, strict=True)
    ]
    if any(size is not None and size < 1 for size in sizes):
        raise args.error("kernel_size", "a window that fits into the input")
    return before, tuple(sizes)


def _local_kernel(args: Args, inputs: Inputs, places: _Places, rank: int) -> Shape:
    """The shape of the kernel in the three layouts that `implementation` chooses (locally_connected2d.py, 2.15)."""
    depth, filters, windows = (
        channels(args, first_shape(inputs)),
        args.size("filters"),
        args.numbers("kernel_size", rank),
    )
    implementation = args.integer("implementation", 1)
    before, after = places
    if implementation == 2:
        if args.config.get("data_format") == "channels_first":
            return (depth, *before, filters, *after)
        return (*before, depth, *after, filters)
    if implementation == 3:
        return (times(_connections(args, places, windows), depth, filters),)
    return (times(*after), times(*windows, depth), filters)


def _connections(args: Args, places: _Places, windows: tuple[int, ...]) -> Size:
    """The number of connected pairs of an input place and an output place (`conv_kernel_idxs`, conv_utils.py, 2.15)."""
    strides = args.numbers("strides", len(windows), 1)
    is_padded = args.choice("padding", "valid", "same") == "same"
    axes = zip(*places, windows, strides, strict=True)
    return times(*(_along_axis(before, after, window, stride, is_padded) for before, after, window, stride in axes))


def _along_axis(before: Size, after: Size, window: int, stride: int, is_padded: bool) -> Size:
    """The number of connections along one axis: where the input is padded, windows at its ends are cut off.

    The total is computed without a loop over the places, of which a config may claim any number: a window that starts
    at `start` covers min(before, start + window) - max(0, start).
    """
    if before is None or after is None:
        return None
    if not is_padded:
        return after * window
    offset = window // 2  # `conv_connected_inputs`, conv_utils.py, 2.15
    cut_left = _sum_of_steps(offset, stride, after)
    cut_right = _sum_of_steps((after - 1) * stride - offset + window - before, stride, after)
    return after * window - cut_left - cut_right


def _sum_of_steps(start: int, step: int, count: int) -> int:
    """start + (start - step) + ... over the positive terms, of which there are at most `count`."""
    terms = min(count, max(0, -(-start // step)))
    return terms * start - step * (terms * (terms - 1) // 2)


def random_fourier_features_weights(args: Args, inputs: Inputs, build: Build) -> Part:
    """RandomFourierFeatures: kernel_scale, which is trained where the layer is (as it seldom is), and the random kernel
    and bias, which never are."""
    size, dtype = args.size("output_dim"), args.variable_dtype
    return args.part(
        *_slots(args, kernel_scale=(1,)),
        fixed("unscaled_kernel", (args.axis_of(first_shape(inputs), -1), size), dtype),
        fixed("bias", (size,), dtype),
    )


def cosine_outputs(args: Args, call: Call, infer: Infer) -> Outputs:
    """Merge in the mode "cos": the shape of a product (`get_output_shape_for`); other modes are other layers in Keras
    3, or code."""
    return dot(args, call, infer) if _is_cosine(args) else ()


def cosine_work(run: Run) -> Work | None:
    """Merge in the mode "cos": the products of both inputs with each other and with themselves; a product, a root, a
    bound and a quotient for each value."""
    if not _is_cosine(run.args) or len(run.inputs) != 2:
        return None
    left, right = run.inputs
    macs = [dot_macs(run.args, *pair) for pair in ((left, right), (left, left), (right, right))]
    return counted(total(*macs), times(elements(run.output), 4))


def _is_cosine(args: Args) -> bool:
    return args.config.get("mode") == "cos"


def crossed_outputs(args: Args, call: Call, infer: Infer) -> Outputs:
    """CategoryCrossing: a row of texts for each example. Keras states their number as open; a run has it from the
    inputs."""
    shapes = [ranked(args, shape, 1, 2) for shape in listed(args, call)]
    crossed = times(*(None if shape is None or None in shape else times(*shape[1:]) for shape in shapes))
    return ((next((shape[0] for shape in shapes if shape), None), None if args.config.get("depth") else crossed),)


def random_size_outputs(axis: int) -> Rule:
    """RandomHeight and RandomWidth: in training another size along an axis, in inference the input as it is.

    Keras states the size as open; a run has it from the input.
    """

    def rule(args: Args, call: Call, infer: Infer) -> Outputs:
        shape = at_least(args, sole(args, call), -axis)
        if shape is None or None not in shape:
            return (shape,)
        return ((*shape[:axis], None, *shape[len(shape) + axis + 1 :]),)

    return rule


def function_outputs(args: Args, call: Call, infer: Infer) -> Outputs:
    """A layer that calls a function of TensorFlow: what the operations of Keras 3 give that compute the same."""
    from ckpttool.model.tensorflow_ops import inference  # few models have such functions

    return inference.function_outputs(args, call, infer)


def function_work(run: Run) -> Work | None:
    """A layer that calls a function of TensorFlow: the work of the operations that compute the same."""
    from ckpttool.model.tensorflow_ops import inference

    return inference.function_work(run)


ROWS = {
    "CuDNNGRU": LayerType(cudnn_weights(3, "GRU"), layer_outputs(1), work=recurrent_work),
    "CuDNNLSTM": LayerType(cudnn_weights(4, "LSTM"), layer_outputs(2), work=recurrent_work),
    "Highway": LayerType(highway_weights, same, work=highway_work),
    **{
        f"LocallyConnected{rank}D": LayerType(
            locally_connected_weights(rank), locally_connected_outputs(rank), work=locally_connected_work(rank)
        )
        for rank in (1, 2)
    },
    "MaxoutDense": LayerType(maxout_dense_weights, projected_outputs, work=maxout_dense_work),
    "Merge": LayerType(outputs=cosine_outputs, work=cosine_work, traits=Trait.LISTS),
    "ParametricSoftplus": LayerType(
        parametric_weights("alphas", "betas"), same, masks=MaskUse.PASSED_BEFORE, work=each_output(3)
    ),
    "RandomFourierFeatures": LayerType(random_fourier_features_weights, projected_outputs, work=fourier_work),
    "SReLU": LayerType(
        parametric_weights("t_left", "a_left", "t_right", "a_right"),
        same,
        masks=MaskUse.PASSED_BEFORE,
        work=each_output(7),
    ),
    "ThresholdedReLU": LayerType(outputs=same, masks=MaskUse.PASSED, work=each_output(1)),
    "CategoryCrossing": LayerType(outputs=crossed_outputs, work=no_work),
    "RandomHeight": LayerType(outputs=random_size_outputs(-3), work=no_work),
    "RandomWidth": LayerType(outputs=random_size_outputs(-2), work=no_work),
    **each("AddLoss AddMetric", LayerType(outputs=same, work=no_work)),
    **each("ClassMethod InstanceMethod InstanceProperty", LayerType()),
    **each(
        "SlicingOpLambda TFOpLambda TensorFlowOpLayer",
        LayerType(outputs=function_outputs, kind="function", work=function_work),
    ),
}
