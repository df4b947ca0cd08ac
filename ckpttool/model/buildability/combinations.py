"""Arguments that Keras 3.15 takes one by one and not together."""

from collections.abc import Callable, Mapping
from typing import Any

from ckpttool.model.buildability import feature_spaces
from ckpttool.model.buildability.context import Context, Refused, shown
from ckpttool.model.buildability.lookups import check_lookup
from ckpttool.model.buildability.values import Layer, Object
from ckpttool.model.layers.recurrent import RUNNING

Refuse = Callable[[str, str], Refused]
Arguments = Mapping[str, Any]
Check = Callable[[Arguments, Refuse], None]


def check_together(class_name: str, arguments: Arguments, context: Context) -> None:
    """Raises Refused where arguments of a class do not go together."""
    for check in CHECKS.get(class_name, ()):
        check(arguments, lambda key, why: context.refused(class_name, key, why))


def _largest(value: Any) -> Any:
    items = value if isinstance(value, list | tuple) else [value]
    numbers = [item for item in items if isinstance(item, int | float)]
    return max(numbers, default=1)


def _strides_or_dilation(arguments: Arguments, refuse: Refuse) -> None:
    """Convolutions (keras/src/layers/convolutional/base_conv.py)."""
    strides, dilation = arguments.get("strides", 1), arguments.get("dilation_rate", 1)
    if _largest(strides) > 1 and _largest(dilation) > 1:
        raise refuse(
            "dilation_rate", f"strides are {shown(strides)} and dilation_rate {shown(dilation)}; one must be 1"
        )


def _groups(arguments: Arguments, refuse: Refuse) -> None:
    filters, groups = arguments.get("filters"), arguments.get("groups", 1)
    if isinstance(filters, int | float) and isinstance(groups, int | float) and groups > 0 and filters % groups:
        raise refuse("groups", f"{shown(filters)} filters cannot be divided by {shown(groups)} groups")


def _output_padding(rank: int) -> Check:
    """Transposed convolutions, whose output_padding is less than the strides."""

    def check(arguments: Arguments, refuse: Refuse) -> None:
        padding, strides = arguments.get("output_padding"), arguments.get("strides", 1)
        if padding is None:
            return
        padding = padding if isinstance(padding, list | tuple) else [padding] * rank
        strides = strides if isinstance(strides, list | tuple) else [strides] * rank
        pairs = list(zip(padding, strides, strict=False))
        if not all(isinstance(a, int | float) and isinstance(b, int | float) for a, b in pairs):
            raise refuse("output_padding", f"it is {shown(padding)}; Keras takes whole numbers")
        if any(a >= b for a, b in pairs):
            raise refuse(
                "output_padding", f"it is {shown(padding)}, and must be less than the strides {shown(strides)}"
            )

    return check


def _input_layer(arguments: Arguments, refuse: Refuse) -> None:
    """An input layer has a shape with or without its batch (keras/src/layers/core/input_layer.py)."""
    shape = arguments.get("input_shape", arguments.get("shape"))
    full = arguments.get("batch_input_shape", arguments.get("batch_shape"))
    if shape is not None and full is not None:
        raise refuse("shape", "shape and batch_shape are given both")
    if arguments.get("batch_size") is not None and full is not None:
        raise refuse("batch_size", "batch_size and batch_shape are given both")
    if shape is None and full is None:
        raise refuse("batch_shape", "no shape is given")


def _one_clip(arguments: Arguments, refuse: Refuse) -> None:
    """Optimizers clip in one way (keras/src/optimizers/base_optimizer.py)."""
    clips = [key for key in ("clipnorm", "clipvalue", "global_clipnorm") if arguments.get(key) is not None]
    if len(clips) > 1:
        raise refuse(clips[1], f"{' and '.join(clips)} are given both; Keras takes one of them")


def _ema(arguments: Arguments, refuse: Refuse) -> None:
    steps = arguments.get("gradient_accumulation_steps")
    if steps and not (isinstance(steps, int | float) and steps >= 2):
        raise refuse("gradient_accumulation_steps", f"it is {shown(steps)}; Keras takes 2 or more")
    if not arguments.get("use_ema"):
        return
    momentum, frequency = arguments.get("ema_momentum", 0.99), arguments.get("ema_overwrite_frequency")
    if not isinstance(momentum, int | float) or not 0 <= momentum <= 1:
        raise refuse("ema_momentum", f"it is {shown(momentum)}; Keras takes a number from 0 to 1")
    if frequency and (not isinstance(frequency, int) or frequency < 1):
        raise refuse("ema_overwrite_frequency", f"it is {shown(frequency)}; Keras takes a positive whole number")


def _directions(arguments: Arguments, refuse: Refuse) -> None:
    """Bidirectional: two layers that run in opposite directions and agree otherwise."""
    forward, backward = arguments.get("layer"), arguments.get("backward_layer")
    if not isinstance(forward, Layer) or not forward.place:
        return
    if "go_backwards" not in forward.config and forward.class_name not in RUNNING:
        raise refuse("layer", f"it is {forward.class_name}; Keras takes a recurrent layer")
    if backward is None:
        if forward.config.get("go_backwards") is True:
            raise refuse("layer", "it runs backwards, and so does the layer that Keras makes for the other direction")
        return
    if not isinstance(backward, Layer) or not backward.place:
        return
    for key in ("stateful", "return_sequences", "return_state"):
        if forward.config.get(key, False) != backward.config.get(key, False):
            raise refuse("backward_layer", f"{key} is not that of the forward layer")
    if forward.config.get("go_backwards", False) == backward.config.get("go_backwards", False):
        raise refuse("backward_layer", "both layers run in the same direction")


def _cell(arguments: Arguments, refuse: Refuse) -> None:
    """RNN: a layer that has the size of a state and is called with states."""
    cell = arguments.get("cell")
    cells = cell if isinstance(cell, list) else [cell]
    for cell in cells:
        if isinstance(cell, Layer) and cell.place and not cell.class_name.endswith(("Cell", "Cells")):
            raise refuse("cell", f"it is {cell.class_name}; Keras takes a cell")


def _statistics(arguments: Arguments, refuse: Refuse) -> None:
    if (arguments.get("mean") is None) != (arguments.get("variance") is None):
        raise refuse("mean", "mean and variance are not given together")


def _query_heads(arguments: Arguments, refuse: Refuse) -> None:
    heads, shared = arguments.get("num_query_heads"), arguments.get("num_key_value_heads")
    if not isinstance(heads, int | float) or not isinstance(shared, int | float) or not shared or heads % shared:
        raise refuse("num_key_value_heads", f"{shown(heads)} heads cannot be divided by {shown(shared)}")


def _settings(arguments: Arguments, refuse: Refuse) -> None:
    """Discretization and Hashing have sparse outputs of some modes only."""
    if arguments.get("sparse") and arguments.get("output_mode", "int") == "int":
        raise refuse("sparse", "outputs are sparse, and output_mode is int; Keras takes another mode then")


def _bins(arguments: Arguments, refuse: Refuse) -> None:
    """Discretization needs boundaries or a number of bins (keras/src/layers/preprocessing/discretization.py)."""
    if arguments.get("num_bins") is None and arguments.get("bin_boundaries") is None:
        raise refuse("num_bins", "neither num_bins nor bin_boundaries is given; Keras takes one of them")


def _integers(arguments: Arguments, refuse: Refuse) -> None:
    """IntegerLookup (keras/src/layers/preprocessing/integer_lookup.py)."""
    if arguments.get("vocabulary_dtype", "int64") != "int64":
        raise refuse("vocabulary_dtype", f"it is {shown(arguments['vocabulary_dtype'])}; Keras takes int64")
    if arguments.get("salt") is not None and arguments.get("oov_method", "floormod") != "farmhash":
        raise refuse("salt", "oov_method is floormod; Keras takes a salt with farmhash only")
    check_lookup({"oov_token": -1, **arguments}, refuse, int | float)


def _strings(arguments: Arguments, refuse: Refuse) -> None:
    check_lookup({"oov_token": "[UNK]", **arguments}, refuse, str)


def _texts(arguments: Arguments, refuse: Refuse) -> None:
    """TextVectorization (keras/src/layers/preprocessing/text_vectorization.py)."""
    mode, length = arguments.get("output_mode", "int"), arguments.get("output_sequence_length")
    if length is not None and not (mode == "int" and isinstance(length, int)):
        raise refuse("output_sequence_length", f"it is {shown(length)}, and output_mode is {shown(mode)}")
    if arguments.get("ragged") and mode != "int":
        raise refuse("ragged", f"output_mode is {shown(mode)}; Keras takes int then")
    _strings({**arguments, "mask_token": "", "oov_token": "[UNK]", "num_oov_indices": 1}, refuse)


def _any_vocabulary(arguments: Arguments, refuse: Refuse) -> None:
    check_lookup(arguments, refuse, str if arguments.get("vocabulary_dtype") == "string" else int | float)


def _hashing(arguments: Arguments, refuse: Refuse) -> None:
    dtype = arguments.get("dtype")
    if isinstance(dtype, dict):
        return
    name = dtype.arguments.get("name") if isinstance(dtype, Object) else dtype
    if arguments.get("output_mode", "int") == "int" and name not in (None, "int32", "int64", "int"):
        raise refuse("dtype", f"it is {shown(name)}; Keras takes int32 or int64 where output_mode is int")


def _windows(arguments: Arguments, refuse: Refuse) -> None:
    """MelSpectrogram (keras/src/layers/preprocessing/mel_spectrogram.py)."""
    length = arguments.get("fft_length", 2048)
    within = arguments.get("sequence_length") or length
    if not isinstance(length, int | float) or (isinstance(within, int | float) and length < within):
        raise refuse("fft_length", f"it is {shown(length)}, and sequence_length {shown(within)}; it must not be less")


def _classes(arguments: Arguments, refuse: Refuse) -> None:
    """Metrics of chosen classes (keras/src/metrics/iou_metrics.py)."""
    chosen, number = arguments.get("target_class_ids", (0, 1)), arguments.get("num_classes", 2)
    known = isinstance(chosen, list | tuple) and all(isinstance(index, int | float) for index in chosen)
    if not chosen or not known or not isinstance(number, int | float) or max(chosen) >= number:
        raise refuse("target_class_ids", f"they are {shown(chosen)} of {shown(number)} classes")


def _pieces(arguments: Arguments, refuse: Refuse) -> None:
    """A learning rate in steps (keras/src/optimizers/schedules/learning_rate_schedule.py)."""
    bounds, values = arguments.get("boundaries"), arguments.get("values")
    if not isinstance(bounds, list | tuple) or not isinstance(values, list | tuple) or len(bounds) != len(values) - 1:
        raise refuse("boundaries", f"they are {shown(bounds)} for {shown(values)}; Keras takes one less than values")


_CONVOLUTIONS = (_strides_or_dilation, _groups)
_OPTIMIZERS = (
    *("Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "Ftrl", "Lion", "Muon", "Nadam"),
    *("BaseOptimizer", "Lamb", "RMSprop", "SGD", "ScheduleFreeAdamW"),
)


def _labels(arguments: Arguments, refuse: Refuse) -> None:
    """AUC (keras/src/metrics/confusion_metrics.py)."""
    if arguments.get("num_labels") and not arguments.get("multi_label"):
        raise refuse("num_labels", "it is given without multi_label, which Keras asks for beside it")


CHECKS: Mapping[str, tuple[Check, ...]] = {
    **{f"Conv{rank}D": _CONVOLUTIONS for rank in (1, 2, 3)},
    **{f"Conv{rank}DTranspose": (_strides_or_dilation, _output_padding(rank)) for rank in (1, 2, 3)},
    **{f"{kind}Conv{rank}D": (_strides_or_dilation,) for kind in ("Depthwise", "Separable") for rank in (1, 2)},
    **{f"ConvLSTM{rank}D": (_strides_or_dilation,) for rank in (1, 2, 3)},
    "AUC": (_labels,),
    "BaseConv": _CONVOLUTIONS,
    "Bidirectional": (_directions,),
    "Discretization": (_settings, _bins),
    "FeatureSpace": (feature_spaces.check_together,),
    "GroupedQueryAttention": (_query_heads,),
    "Hashing": (_settings, _hashing),
    "BinaryIoU": (_classes,),
    "IndexLookup": (_any_vocabulary,),
    "IntegerLookup": (_integers,),
    "IoU": (_classes,),
    "MelSpectrogram": (_windows,),
    "OneHotIoU": (_classes,),
    "PiecewiseConstantDecay": (_pieces,),
    "StringLookup": (_strings,),
    "TextVectorization": (_texts,),
    "InputLayer": (_input_layer,),
    "Normalization": (_statistics,),
    "RNN": (_cell,),
    **dict.fromkeys(_OPTIMIZERS, (_one_clip, _ema)),
}
