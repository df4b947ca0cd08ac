"""Crossentropies that Keras 3 measures otherwise on TensorFlow: of the numbers in front of an activation.

Keras 1 and 2 took what the activation gave (`categorical_crossentropy` and `binary_crossentropy` of
backend/tensorflow_backend.py, 1.2.2 to 2.3.1), TensorFlow up to 2.2 as well, but where the activation was the
loss's own, which is the same number. Since TensorFlow 2.3 a softmax and a sigmoid carry what went into them, which the
loss takes whichever of the two it was (`_keras_logits`, activations.py and backend.py of Keras 2.4 to 2.15;
`_get_logits`, keras/src/backend/tensorflow/nn.py, 3.15). So a softmax under a binary crossentropy, a sigmoid under a
categorical one, and either with `from_logits=True` have another loss.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ckpttool.conversion.compile.optimizers import MAX_DEPTH, WHERE
from ckpttool.conversion.compile.settings import is_before
from ckpttool.conversion.journal import Journal

_OWN_ACTIVATION: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("binary_crossentropy", "BinaryCrossentropy"), "sigmoid"),
        **dict.fromkeys(("categorical_crossentropy", "CategoricalCrossentropy"), "softmax"),
        **dict.fromkeys(("sparse_categorical_crossentropy", "SparseCategoricalCrossentropy"), "softmax"),
    }
)
"""The activation that each of these losses is made for."""

_CARRYING = frozenset({"sigmoid", "softmax"})
_WITH_ACTIVATION = frozenset(
    {
        *("Activation", "Conv1D", "Conv1DTranspose", "Conv2D", "Conv2DTranspose", "Conv3D", "Conv3DTranspose", "Dense"),
        *("DepthwiseConv1D", "DepthwiseConv2D", "EinsumDense", "SeparableConv1D", "SeparableConv2D"),
    }
)
_CARRIED_SINCE = (2, 4)  # the Keras of TensorFlow 2.3


def note(config: Mapping[str, Any], loss: Any, version: str | None, journal: Journal) -> None:
    """Notes the losses of a model of Keras 3 that are measured otherwise than by the Keras of its writer."""
    if not is_before(version, _CARRIED_SINCE):
        return
    names = _output_names(config)
    for name in names:
        one = _loss_of(loss, names, name)
        activation = _last_activation(config, name, 0)
        if activation in _CARRYING and _differs(one, activation):
            what = f"{_called(one)} of {name}: on TensorFlow, Keras 3 takes what goes into the {activation} for logits"
            journal.lose(WHERE, f"{what}, where older ones took what comes out of it")


def _differs(loss: Any, activation: str) -> bool:
    """Whether a loss of this activation's answers is another where it is given what goes into it."""
    wanted = _OWN_ACTIVATION.get(_called(loss))
    if wanted is None:
        return False
    config = loss.get("config") if isinstance(loss, Mapping) else None
    return wanted != activation or (isinstance(config, Mapping) and config.get("from_logits") is True)


def _called(loss: Any) -> str:
    name = loss.get("class_name") if isinstance(loss, Mapping) else loss
    return name if isinstance(name, str) else ""


def _loss_of(loss: Any, names: list[str], name: str) -> Any:
    """The loss of one output, where one, a list or a dict is stated."""
    if isinstance(loss, Mapping) and "class_name" not in loss:
        return loss.get(name)
    if isinstance(loss, list):
        return loss[names.index(name)] if len(loss) == len(names) else None
    return loss


def _layers(config: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    inner = config.get("config")
    layers = inner.get("layers") if isinstance(inner, Mapping) else None
    return [one for one in layers or () if isinstance(one, Mapping) and isinstance(one.get("config"), Mapping)]


def _output_names(config: Mapping[str, Any]) -> list[str]:
    """The layers that a model's outputs come from, in their order."""
    layers = _layers(config)
    if config.get("class_name") == "Sequential":
        return [str(layers[-1]["config"].get("name"))] if layers else []
    inner = config.get("config")
    stack, found = [inner.get("output_layers") if isinstance(inner, Mapping) else None], []
    while stack:
        item = stack.pop()
        if isinstance(item, list) and item and isinstance(item[0], str):
            found.append(item[0])
        elif isinstance(item, list | Mapping):
            stack.extend(reversed(item if isinstance(item, list) else list(item.values())))
    return found


def _last_activation(config: Mapping[str, Any], name: str, depth: int) -> Any:
    """The activation that an output comes out of at last; None where another layer is behind it."""
    layer = next((one for one in _layers(config) if one["config"].get("name") == name), None)
    if layer is None or depth > MAX_DEPTH:
        return None
    if layer["class_name"] == "Softmax":
        return "softmax"
    if layer["class_name"] in _WITH_ACTIVATION:
        return layer["config"].get("activation")
    ends = _output_names(layer) if layer["class_name"] in ("Functional", "Model", "Sequential") else []
    return _last_activation(layer, ends[0], depth + 1) if len(ends) == 1 else None
