"""Arguments whose meaning changed between versions of Keras, rewritten so that Keras 3 computes the same result."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from ckpttool.conversion.config import adapted_layers
from ckpttool.conversion.journal import Edit, Journal
from ckpttool.conversion.origin import Origin
from ckpttool.model.arguments import Args
from ckpttool.model.defaults import arguments_of
from ckpttool.model.generations.unstated_data_formats import SPATIAL_DROPOUTS, WITHOUT_DATA_FORMAT
from ckpttool.model.layers.einsum import Equation
from ckpttool.model.layers.table import LAYERS
from ckpttool.model.sizes import Shape, is_integer

WRITE_BACKWARD = Edit(
    "write-backward-layer",
    "writes out the backward layer of a Bidirectional whose forward layer runs backwards",
    "always: Keras 2 made it run forwards, Keras 3 would make both run backwards",
    differs_without=True,
)
DROP_DILATION = Edit(
    "drop-dilation",
    "writes 1 as the dilation of a transposed convolution",
    "always: Keras of many backends took the argument up to 2.2.2 (2.2.4 for Conv3DTranspose), and did not look at it",
)
WRITE_SIZES = Edit(
    "write-sizes",
    "writes the sizes that the output of an EinsumDense has, where it left them open",
    "always: Keras 2 found them out, Keras 3 does not, and cannot build what comes behind",
)
WRITE_REGULARIZER = Edit(
    "write-recurrent-regularizer",
    "writes the regularizer of the kernel as that of the recurrent kernel",
    "always: GRU and LSTM of Keras 1.2 took it for both, unless they consume less on a GPU",
)
EDITS = (WRITE_REGULARIZER, WRITE_BACKWARD, DROP_DILATION, WRITE_SIZES)

_FIRST = "channels_first, as the layers beside it: its config does not say along which axes it drops out"

# Arguments without influence on the result of a layer, whatever their value. `causal` is moved into the calls. A layer
# of Keras 3 that does not take `trainable` has no weights.
_NEUTRAL = frozenset({"causal", "implementation", "trainable"})


class Site(NamedTuple):
    """The place of a layer: its label, its old class and arguments, the shape of its input if known, and the writer of
    the model."""

    label: str
    old: Args
    shape: Shape | None
    origin: Origin


def with_old_meaning(args: Args, site: Site, journal: Journal) -> Mapping[str, Any]:
    """The arguments of a built-in layer with which Keras 3 computes the same; without neutral ones that it lacks."""
    config = dict(args.config)
    known = arguments_of(args.class_name) if args.class_name in LAYERS else None
    if known is not None and args.class_name not in ("Functional", "Sequential"):
        config = {key: value for key, value in config.items() if key in known or not _is_neutral(key, value)}
        if "data_format" in known and config.get("data_format") is None:
            _guess_order(args, site, journal)
            config["data_format"] = "channels_last"  # without it, Keras 3 takes the one that its user has configured
        elif args.class_name in SPATIAL_DROPOUTS and config.get("data_format") == "channels_first":
            journal.guess(site.label, _FIRST)
    for change in _CHANGES.get(args.class_name, ()):
        config = change(config, site, journal)
    return config


def _guess_order(args: Args, site: Site, journal: Journal) -> None:
    if args.class_name in WITHOUT_DATA_FORMAT and not {"data_format", "dim_ordering"} & site.old.config.keys():
        journal.guess(
            site.label, "channels_last: neither its config nor the layers beside it say the order of its axes"
        )


def _is_neutral(key: str, value: Any) -> bool:
    return value is None or key in _NEUTRAL


def _bidirectional(config: dict[str, Any], site: Site, journal: Journal) -> dict[str, Any]:
    """Keras 2 made the backward layer run the other way than the forward one (keras/layers/rnn/bidirectional.py, 2.15);
    Keras 3 makes it run backwards (keras/src/layers/rnn/bidirectional.py, 3.15)."""
    forward = config.get("layer")
    own = forward.get("config") if isinstance(forward, Mapping) else None
    if not isinstance(own, Mapping) or own.get("go_backwards") is not True or config.get("backward_layer") is not None:
        return config
    journal.edit(WRITE_BACKWARD, site.label)
    name = str(own.get("name", "")).removeprefix("forward_")
    backward = {**forward, "config": {**own, "name": f"backward_{name}", "go_backwards": False}}  # type: ignore[dict-item]
    return {**config, "backward_layer": backward}


def _of_two_sizes(config: dict[str, Any], site: Site, journal: Journal) -> dict[str, Any]:
    """Keras 3 takes both directions of a Bidirectional to give as many values as the forward one, and builds the layers
    behind it so (`compute_output_shape`, keras/src/layers/rnn/bidirectional.py, 3.15)."""
    forward, backward = (_units(config.get(key)) for key in ("layer", "backward_layer"))
    if backward is not None and forward != backward:
        why = (
            f"directions of {forward} and {backward} values: Keras 3 builds the layers behind it for {forward} of both"
        )
        journal.refuse(site.label, why)
    return config


def _units(layer: Any) -> int | None:
    """The number of values that a recurrent layer gives at a step, None where its config does not say it."""
    config = layer.get("config") if isinstance(layer, Mapping) else None
    units: Any = config.get("units") if isinstance(config, Mapping) else None
    return units if is_integer(units) else None


def _random_crop(config: dict[str, Any], site: Site, journal: Journal) -> dict[str, Any]:
    """In inference Keras 2 resizes what it would crop in training (image_preprocessing.py, 2.15), Keras 3 does not."""
    journal.refuse(site.label, "RandomCrop, which gives other images in inference than it did")
    return config


def _relu(config: dict[str, Any], site: Site, journal: Journal) -> dict[str, Any]:
    """Keras 2 took any threshold up to 2.2 (keras/layers/advanced_activations.py, 2.2.4)."""
    threshold = config.get("threshold")
    if isinstance(threshold, int | float) and threshold < 0:
        journal.refuse(site.label, f"ReLU with a threshold below zero, {threshold:g}, which Keras 3 does not take")
    return config


def _strided(config: dict[str, Any], site: Site, journal: Journal) -> dict[str, Any]:
    """Keras 2 took strides and dilation together (keras/layers/convolutional_recurrent.py, 2.2.4)."""
    if _is_above_one(config.get("strides")) and _is_above_one(config.get("dilation_rate")):
        journal.refuse(site.label, "strides and dilation_rate above 1 together, which Keras 3 does not take")
    return config


def _is_above_one(value: Any) -> bool:
    return any(is_integer(number) and number > 1 for number in (value if isinstance(value, list) else [value]))


def _interpolated(config: dict[str, Any], site: Site, journal: Journal) -> dict[str, Any]:
    """Keras 3 has fewer interpolations (keras/src/ops/image.py, 3.15)."""
    how = config.get("interpolation")
    if how in ("gaussian", "mitchellcubic"):
        journal.refuse(site.label, f"interpolation {how!r}, which Keras 3 has no more")
    return config


def _upsampled(config: dict[str, Any], site: Site, journal: Journal) -> dict[str, Any]:
    """Up to TensorFlow 1.13 pixels were points at their corners (`resize_bilinear`), today they are squares."""
    of_old = site.origin.of_many_backends or ("-tf" in (site.origin.version or "") and site.origin.before(2, 2, 4))
    if config.get("interpolation") == "bilinear" and of_old:
        journal.refuse(site.label, "bilinear interpolation of this version of Keras, which took values at other places")
    return config


def _embedding(config: dict[str, Any], site: Site, journal: Journal) -> dict[str, Any]:
    """The `dropout` of an Embedding of Keras 1, by which whole words are dropped in training, is left out
    (keras/layers/embeddings.py, 1.2.2)."""
    if config.get("dropout"):
        journal.lose(site.label, f"dropout {config['dropout']} of an Embedding, which has a part in training alone")
    return {key: value for key, value in config.items() if key != "dropout"}


def _undilated(config: dict[str, Any], site: Site, journal: Journal) -> dict[str, Any]:
    """The dilation of a transposed convolution is 1 where Keras ignored it: Conv2DTranspose uses it from 2.2.3 on,
    Conv3DTranspose from 2.2.5 on (keras/layers/convolutional.py)."""
    first = (2, 2, 3) if site.old.class_name in ("Conv2DTranspose", "Deconvolution2D") else (2, 2, 5)
    ignored = site.origin.of_many_backends and site.origin.before(*first)
    if not ignored or not _is_above_one(config.get("dilation_rate")):
        return config
    journal.edit(DROP_DILATION, site.label, f"dilation_rate={config['dilation_rate']}")
    return {**config, "dilation_rate": 1}


def _deconvolved(config: dict[str, Any], site: Site, journal: Journal) -> dict[str, Any]:
    """A Deconvolution2D of Keras 1 is refused where its `output_shape`, an argument there, is not the one that Keras 3
    computes (keras/layers/convolutional.py, 1.2.2)."""
    output_shape = site.old.config.get("output_shape") if site.old.class_name == "Deconvolution2D" else None
    if isinstance(output_shape, list) and len(output_shape) == 4:
        first = config["data_format"] == "channels_first"
        input_shape = site.shape or (None,) * 4
        sizes = (output_shape[2:], input_shape[2:]) if first else (output_shape[1:3], input_shape[1:3])
        windows, strides = (_pair(config.get(key)) for key in ("kernel_size", "strides"))
        same = config.get("padding") == "same"
        for out, size, window, stride in zip(*sizes, windows, strides, strict=False):
            computed = None if size is None else size * stride + (0 if same else max(window - stride, 0))
            if out is not None and out != computed:
                journal.refuse(
                    site.label, f"an output of {out} values, where that of Keras 3 has {computed or 'others'}"
                )
    return config


def _pair(value: Any) -> list[int]:
    pair = value if isinstance(value, list) else [value, value]
    return [value if is_integer(value) else 1 for value in pair]


def _gated(config: dict[str, Any], site: Site, journal: Journal) -> dict[str, Any]:
    """Keras 2.3 changed the default (keras/layers/recurrent.py)."""
    old = site.origin.of_many_backends and site.origin.before(2, 3)
    return {"recurrent_activation": "hard_sigmoid", **config} if old else config


def _sized(config: dict[str, Any], site: Site, journal: Journal) -> dict[str, Any]:
    """The open sizes in the `output_shape` of an EinsumDense are filled in. Keras 2 asked TensorFlow for the shape of
    the output (einsum_dense.py, 2.15)."""
    equation, sizes = Equation.read(config.get("equation")), config.get("output_shape")
    if equation is None or not isinstance(sizes, list) or site.shape is None or equation.dots:
        return config
    known = dict(zip(equation.inputs, site.shape, strict=False))
    labelled = zip(equation.outputs[1:], sizes, strict=False)
    known_sizes = [known.get(label) if size is None else size for label, size in labelled]
    if known_sizes == sizes:
        return config
    journal.edit(WRITE_SIZES, site.label, f"{known_sizes}")
    return {**config, "output_shape": known_sizes}


def _regularized(config: dict[str, Any], site: Site, journal: Journal) -> dict[str, Any]:
    """A recurrent layer of Keras 1.2, which gave the recurrent kernels of its gates `W_regularizer`, and has
    `U_regularizer` for all gates in one alone (`build`, keras/layers/recurrent.py, 1.2.2)."""
    of_kernel, of_recurrent = (config.get(f"{name}_regularizer") for name in ("kernel", "recurrent"))
    is_of_1_2 = site.origin.before(2) and not site.origin.before(1, 2)
    if not is_of_1_2 or site.old.config.get("consume_less", "cpu") == "gpu" or of_kernel == of_recurrent:
        return config
    journal.edit(WRITE_REGULARIZER, site.label)
    return {**config, "recurrent_regularizer": of_kernel}


def _frozen(config: dict[str, Any], site: Site, journal: Journal) -> dict[str, Any]:
    """A frozen BatchNormalization is remarked on, as it may train differently.

    In Keras of many backends and in tf.keras of TensorFlow 1 it took the mean and variance of the batch in training;
    since TensorFlow 2 it takes its moving averages (computed with 1.2.2, 2.0.9, 2.2.4, TensorFlow 1.15 and 2.1;
    `_get_training_value`, tensorflow/python/keras/layers/normalization.py, 2.1).
    """
    origin, version = site.origin, site.origin.version
    if config.get("trainable") is False and (version is None or origin.before(2, 3) or origin.of_many_backends):
        took = "took" if origin.of_many_backends else "may have taken"
        change = (
            f"frozen, and {took} the mean and variance of each batch in training, where Keras 3 takes the moving ones"
        )
        journal.lose(site.label, f"{change}: further training is not the same, predictions are")
    return config


_Change = Callable[[dict[str, Any], Site, Journal], dict[str, Any]]

_CHANGES: Mapping[str, tuple[_Change, ...]] = MappingProxyType(
    {
        "BatchNormalization": (_frozen,),
        "Bidirectional": (_bidirectional, _of_two_sizes),
        "Conv2DTranspose": (_undilated, _deconvolved),
        "Conv3DTranspose": (_undilated,),
        **dict.fromkeys((f"ConvLSTM{rank}D" for rank in (1, 2, 3)), (_strided,)),
        "Discretization": (adapted_layers.discretization_config,),
        "EinsumDense": (_sized,),
        "Embedding": (_embedding,),
        **dict.fromkeys(("GRU", "LSTM"), (_gated, _regularized)),
        **dict.fromkeys(("GRUCell", "LSTMCell"), (_gated,)),
        "Hashing": (adapted_layers.hashing_config,),
        "RandomCrop": (_random_crop,),
        "ReLU": (_relu,),
        "Resizing": (_interpolated,),
        "UpSampling2D": (_interpolated, _upsampled),
    }
)
