"""Crossentropies that Keras 3 measures otherwise on TensorFlow: of the numbers in front of an activation.

Keras 1 and 2 took what the activation gave (`categorical_crossentropy` and `binary_crossentropy` of
backend/tensorflow_backend.py, 1.2.2 to 2.3.1), TensorFlow up to 2.2 as well, but where the activation was the
loss's own, which is the same number. Since TensorFlow 2.3 a softmax and a sigmoid carry what went into them, which the
loss takes whichever of the two it was (`_keras_logits`, activations.py and backend.py of Keras 2.4 to 2.15;
`_get_logits`, keras/src/backend/tensorflow/nn.py, 3.15). So a softmax under a binary crossentropy, a sigmoid under a
categorical one, and either with `from_logits=True` have another loss.

Layers that do nothing outside of training hand on the very tensor in Keras 3, and with it what went into the activation
(`Dropout.call`, keras/src/layers/regularization/dropout.py, 3.15). Dropout and Identity of Keras 2.4 to 2.15 hand on a
copy that carries nothing (the same of 2.15); the others hand on theirs. What came out of the layer Softmax carried
nothing up to Keras 2.13, and was seen as a softmax in the graph alone, or with `from_logits=True` not even there.

Of answers that are not between 0 and 1, the binary crossentropy of TensorFlow's Keras 2 is another as well: it cuts
them, and then adds the number that it cuts by.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ckpttool.conversion.compile.optimizers import MAX_DEPTH, WHERE
from ckpttool.conversion.compile.settings import is_before
from ckpttool.conversion.journal import Journal
from ckpttool.model.graph import read_calls
from ckpttool.model.layers.table import MODELS

_OWN_ACTIVATION: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("binary_crossentropy", "BinaryCrossentropy"), "sigmoid"),
        **dict.fromkeys(("categorical_crossentropy", "CategoricalCrossentropy"), "softmax"),
        **dict.fromkeys(("sparse_categorical_crossentropy", "SparseCategoricalCrossentropy"), "softmax"),
    }
)
"""The activation that each of these losses is made for."""

_BINARY = frozenset({"binary_crossentropy", "BinaryCrossentropy"})
_CARRYING = frozenset({"sigmoid", "softmax"})
_WITH_ACTIVATION = frozenset(
    {
        *("Activation", "Conv1D", "Conv1DTranspose", "Conv2D", "Conv2DTranspose", "Conv3D", "Conv3DTranspose", "Dense"),
        *("DepthwiseConv1D", "DepthwiseConv2D", "EinsumDense", "SeparableConv1D", "SeparableConv2D"),
    }
)
_DROPOUTS = frozenset({"Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D"})
_COPYING = _DROPOUTS | {"Identity"}
_HANDING_ON = _COPYING | {"ActivityRegularization", "AlphaDropout", "GaussianDropout", "GaussianNoise"}
_CARRIED_SINCE = (2, 4)  # the Keras of TensorFlow 2.3
_OF_GRAPH_SINCE = (2, 10)  # a softmax of the layer Softmax is seen in the graph, from_logits or not (`_get_logits`)
_OF_LAYER_SINCE = (2, 14)  # and carries what went into it (`softmax` of keras/src/backend.py)


def note(config: Mapping[str, Any], loss: Any, version: str | None, journal: Journal) -> None:
    """Notes the losses of a model of Keras 3 that are measured otherwise than by the Keras of its writer."""
    names = _output_names(config)
    for name in names:
        one = _loss_of(loss, names, name)
        activation, behind = _last_activation(config, name, 0)
        is_carried = not is_before(version, _carried_since(behind, one)) and not behind & _COPYING
        if not is_carried and activation in _CARRYING and _differs(one, activation):
            what = f"{_called(one)} of {name}: on TensorFlow, Keras 3 takes what goes into the {activation} for logits"
            when = "" if not behind & _DROPOUTS else " when it evaluates"
            journal.lose(WHERE, f"{what}{when}, where older ones took what comes out of it")
        elif _adds_epsilon(version) and _called(one) in _BINARY and _leaves_unit_interval(activation):
            what = f"{_called(one)} of {name}: Keras 3 counts answers that are not between 0 and 1 otherwise"
            journal.lose(WHERE, f"{what}, as -log(1e-7), where older ones had -log(2e-7)")


def _carried_since(behind: frozenset[str], loss: Any) -> tuple[int, ...]:
    """The first Keras whose loss takes what went into an activation, whichever of the two it was."""
    if "Softmax" not in behind:
        return _CARRIED_SINCE
    return _OF_LAYER_SINCE if _called(loss) in _BINARY else _OF_GRAPH_SINCE


def _adds_epsilon(version: str | None) -> bool:
    """Whether the writer's Keras adds a small number to answers that it has cut to what lies between 0 and 1: that of
    TensorFlow (`binary_crossentropy` of tensorflow/python/keras/backend.py, 2.1, and keras/src/backend.py, 2.15)."""
    return (version or "").endswith("-tf") or not is_before(version, _CARRIED_SINCE)


def _leaves_unit_interval(activation: Any) -> bool:
    """Whether answers of an activation may be 0, 1 or beyond; one that is not known is not accused."""
    return isinstance(activation, str) and activation not in _CARRYING


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


def _last_activation(config: Mapping[str, Any], name: str, depth: int) -> tuple[Any, frozenset[str]]:
    """The activation that an output comes out of at last, and the classes of the layers behind it that hand it on; None
    where another layer is behind it."""
    behind = set[str]()
    found = next((one for one in _layers(config) if one["config"].get("name") == name), None)
    for _ in range(MAX_DEPTH):
        if found is None or not _hands_on(found):
            break
        behind.add(found["class_name"])
        found = _before(config, found)
    if found is None or depth > MAX_DEPTH:
        return None, frozenset()
    if found["class_name"] == "Softmax":
        return "softmax", frozenset(behind | {"Softmax"})
    if found["class_name"] in _WITH_ACTIVATION:
        return found["config"].get("activation"), frozenset(behind)
    ends = _output_names(found) if found["class_name"] in MODELS else []
    activation, inner = _last_activation(found, ends[0], depth + 1) if len(ends) == 1 else (None, frozenset[str]())
    return activation, inner | behind


def _hands_on(layer: Mapping[str, Any]) -> bool:
    """Whether Keras 3 gives out the very tensor that a layer is called on, outside of training."""
    is_linear = layer["class_name"] == "Activation" and layer["config"].get("activation") == "linear"
    return is_linear or layer["class_name"] in _HANDING_ON


def _before(config: Mapping[str, Any], layer: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The layer of a model that another is called on; None where there is not one alone."""
    layers = _layers(config)
    if config.get("class_name") == "Sequential":
        at = next((at for at, one in enumerate(layers) if one is layer), 0)
        return layers[at - 1] if at else None
    calls = read_calls(layer)
    names = {tensor.layer for call in calls for tensor in call.tensors}
    found = [one for one in layers if one["config"].get("name") in names]
    return found[0] if len(calls) == len(found) == 1 else None
