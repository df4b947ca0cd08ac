"""Variances of batches, by which a BatchNormalization moves its own variance in training.

Keras 3 divides the squared differences of a batch by their number (`BatchNormalization._moments`,
keras/src/layers/normalization/batch_normalization.py, 3.15). Keras of many backends divides them by their number less 1
since 2.1.4 (`BatchNormalization.call`, keras/layers/normalization.py, 2.2.4). So does the fused operation of
TensorFlow, which tf.keras takes for images with the channels at an end, and since 2.6 for volumes (`_fused_batch_norm`
and `build`, keras/src/layers/normalization/batch_normalization.py, 2.6 and 2.15), whatever `fused` was, which no config
has; for other inputs, and in float64, it divides as Keras 3 does. Measured with 2.4, 2.10 and 2.15.

On TensorFlow, Keras of many backends from 2.1.3 to 2.2.5 moves both statistics without the bias of their beginning
(`moving_average_update` with `zero_debias`, keras/backend/tensorflow_backend.py, 2.2.4), and counts for that anew after
loading: the first batch takes their place. Measured with 2.2.4.

In a TimeDistributed, Keras 3 calls the layer on each step (`TimeDistributed.call`,
keras/src/layers/rnn/time_distributed.py, 3.15), so that each step has statistics of its own and moves the mean and the
variance; older ones call it on all steps at once (2.2.4, 2.15). Measured with 2.4, 2.10 and 2.15.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ckpttool.conversion.compile.optimizers import WHERE
from ckpttool.conversion.journal import Journal
from ckpttool.conversion.origin import Origin
from ckpttool.escape import first_of
from ckpttool.model.arguments import Args
from ckpttool.model.config import mappings_in
from ckpttool.model.shape_inference import is_model, steps_of
from ckpttool.model.sizes import Inputs, Shape

_BY_ONE_LESS = (2, 1, 4)
_BEGINS_ANEW, _GOES_ON = (2, 1, 3), (2, 3)
_SHOWN = 3
_OF_IMAGES: Mapping[int, frozenset[int]] = {4: frozenset({1, 3})}
_OF_VOLUMES: Mapping[int, frozenset[int]] = {**_OF_IMAGES, 5: frozenset({1, 4})}
_FUSES_VOLUMES = (2, 6)


def note(config: Mapping[str, Any], origin: Origin, journal: Journal) -> None:
    """Note that further training moves means and variances otherwise, in a compiled model in the form of Keras 3."""
    _note_beginning(config, origin, journal)
    in_steps = _in_steps(config)
    if in_steps:
        journal.lose(
            WHERE,
            f"further training of BatchNormalization {first_of(_names(in_steps), _SHOWN)} is not the same: in a "
            "TimeDistributed of Keras 3 each step is normalized on its own, where older ones took all steps together",
        )
    if origin.version is None or (origin.of_many_backends and origin.before(*_BY_ONE_LESS)):
        return
    as_before = set() if origin.of_many_backends else _unfused(Args.of(config), origin)
    as_before |= set(map(id, in_steps))  # of which more was said
    names = _names(layer for layer in _trained(config) if id(layer) not in as_before)
    if names:
        journal.lose(
            WHERE,
            f"further training of BatchNormalization {first_of(names, _SHOWN)} is not quite the same: Keras 3 "
            "divides the variance of a batch by the number of values, where older ones divided by 1 less",
        )


def _note_beginning(config: Mapping[str, Any], origin: Origin, journal: Journal) -> None:
    names = _names(_trained(config))
    began_anew = origin.before(*_GOES_ON) and not origin.before(*_BEGINS_ANEW)
    if names and began_anew and origin.of_many_backends and not origin.theano:
        journal.lose(
            WHERE,
            f"further training of BatchNormalization {first_of(names, _SHOWN)} is not the same: Keras 3 goes on from "
            "the stored mean and variance, where older ones on TensorFlow put those of the first batch in their place",
        )


def _in_steps(config: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The arguments of the layers in a TimeDistributed that are not frozen."""
    wrappers = [entry for entry in mappings_in(config) if entry.get("class_name") == "TimeDistributed"]
    return [layer for wrapper in wrappers for layer in _trained(wrapper)]


def _trained(config: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The arguments of the layers that are not frozen."""
    for entry in mappings_in(config):
        inner = entry.get("config") if entry.get("class_name") == "BatchNormalization" else None
        if isinstance(inner, Mapping) and inner.get("trainable", True):
            yield inner


def _names(layers: Iterable[Mapping[str, Any]]) -> list[str]:
    """The names in the arguments of layers, each once, in order."""
    return sorted({str(layer.get("name", "")) for layer in layers})


def _unfused(model: Args, origin: Origin) -> set[int]:
    """The identities of the arguments of layers whose inputs are such that tf.keras does not take the fused
    operation."""
    layers = _layers(model, ()) if is_model(model) else ()
    fused = _OF_IMAGES if origin.before(*_FUSES_VOLUMES) else _OF_VOLUMES
    return {id(args.config) for args, shape in layers if shape is not None and not _is_fused(args, shape, fused)}


def _is_fused(args: Args, shape: Shape, fused: Mapping[int, frozenset[int]]) -> bool:
    axis = args.config.get("axis", -1)
    axes = [axis] if isinstance(axis, int) else axis
    if args.config.get("synchronized") or args.variable_dtype == "float64" or not isinstance(axes, list):
        return False
    return len(axes) == 1 and axes[0] % len(shape) in fused.get(len(shape), ())


def _layers(model: Args, inputs: Inputs) -> Iterator[tuple[Args, Shape | None]]:
    """All layers in a model and the models in it, each with the shape of its input where that is known."""
    for step in steps_of(model, inputs):
        if is_model(step.args):
            yield from _layers(step.args, step.inputs)
        else:
            yield step.args, next(iter(step.inputs), None)
