"""Losses and metrics of crossentropy that differ in Keras 3 on TensorFlow, computed of the inputs of an activation.

Keras 1 and 2 compute the loss of the activation's outputs (`categorical_crossentropy` and `binary_crossentropy` of
backend/tensorflow_backend.py, 1.2.2 to 2.3.1). TensorFlow up to 2.2 does so, too, except for the activation that
belongs to the loss, with the same result. Since TensorFlow 2.3 the output of a softmax or a sigmoid carries the inputs
(logits) of that activation, and the loss uses these, whichever of the two it was (`_keras_logits`, activations.py and
backend.py of Keras 2.4 to 2.15; `_get_logits`, keras/src/backend/tensorflow/nn.py, 3.15). So the loss differs for a
softmax under a binary crossentropy, for a sigmoid under a categorical one, and for either with `from_logits=True`.

In Keras 3, layers that do nothing outside of training return the same tensor, which still carries the logits
(`Dropout.call`, keras/src/layers/regularization/dropout.py, 3.15). Dropout and Identity of Keras 2.4 to 2.15 return a
copy without them (the same of 2.15); other layers return the same tensor. The output of the layer Softmax carries no
logits up to Keras 2.13; the loss recognises it as a softmax only in a graph, and not with `from_logits=True`.

The binary crossentropy of TensorFlow's Keras 2 also differs for answers outside of 0 and 1: it clips them, and then
adds the number by which it clips. Its focal crossentropies take outputs for logits in one of two places, where Keras 3
does so in both (`binary_focal_crossentropy`, keras/src/backend.py, 2.15, and keras/src/losses/losses.py, 3.15). With
`ignore_class` it takes some of the outputs, which carry no logits then (`sparse_categorical_crossentropy`, the same).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from ckpttool.conversion.compile.optimizers import MAX_DEPTH, WHERE
from ckpttool.conversion.compile.output_keys import layers_by_key
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
_BINARY_FOCAL = frozenset({"binary_focal_crossentropy", "BinaryFocalCrossentropy"})
_FOCAL = _BINARY_FOCAL | {"categorical_focal_crossentropy", "CategoricalFocalCrossentropy"}
_CARRYING = frozenset({"sigmoid", "softmax"})
_WITH_ACTIVATION = frozenset(
    {
        *("Activation", "Conv1D", "Conv1DTranspose", "Conv2D", "Conv2DTranspose", "Conv3D", "Conv3DTranspose", "Dense"),
        *("DepthwiseConv1D", "DepthwiseConv2D", "EinsumDense", "SeparableConv1D", "SeparableConv2D"),
    }
)
_DROPOUTS = frozenset({"Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D"})
_COPYING = _DROPOUTS | {"Identity"}
_PASSING_ON = _COPYING | {"ActivityRegularization", "AlphaDropout", "GaussianDropout", "GaussianNoise"}
_CARRIED_SINCE = (2, 4)  # the Keras of TensorFlow 2.3
_OF_GRAPH_SINCE = (2, 10)  # a softmax of the layer Softmax is seen in the graph, from_logits or not (`_get_logits`)
_OF_LAYER_SINCE = (2, 14)  # and carries what went into it (`softmax` of keras/src/backend.py)


def note_differences(
    config: Mapping[str, Any], compiled: Mapping[str, Any], version: str | None, journal: Journal
) -> None:
    """Note the losses and metrics of a model in Keras 3 whose value differs from that in the Keras of its writer.

    Metrics are computed of the same tensors as losses (`MeanMetricWrapper`, keras/src/metrics/base_metric.py, 2.15).
    """
    layers = list(layers_by_key(config).items()) or [(name, name) for name in _output_names(config)]
    names = [name for name, _ in layers]
    for name, layer in layers:
        output = _Output(name, *_last_activation(config, layer, 0), version)
        difference = output.difference(_loss_of(compiled.get("loss"), names, name))
        if difference is not None:
            journal.lose(WHERE, difference)
        for key in ("metrics", "weighted_metrics"):
            for metric in _metrics_of(compiled.get(key), names, name):
                of_metric = output.difference(metric)
                if of_metric is not None:
                    journal.lose(WHERE, f"the metric {of_metric}")


class _Output(NamedTuple):
    """An output of a model: the last activation before it, and the classes of the layers behind that."""

    name: str
    activation: str | None
    behind: frozenset[str]
    version: str | None

    def difference(self, loss: Any) -> str | None:
        """The difference of a loss or metric of the output in Keras 3, None where it has the same value."""
        subject = f"{_name_of(loss)} of {self.name}"
        carrying = self.activation if self.activation in _CARRYING else None
        if carrying is not None and not self._is_carried(loss) and _differs(loss, carrying):
            when = "" if not self.behind & _DROPOUTS else " when it evaluates"
            subject = f"{subject}: on TensorFlow, Keras 3 takes what goes into the {carrying}"
            return f"{subject} for logits{when}, where older ones took what comes out of it"
        if carrying is not None and _name_of(loss) in _FOCAL and _argument(loss, "from_logits"):
            subject = f"{subject} with from_logits=True"
            return f"{subject}: Keras 3 computes another number of what comes out of a {carrying}"
        if _adds_epsilon(self.version) and _clips(loss) and _leaves_unit_interval(self.activation):
            subject = f"{subject}: Keras 3 counts answers that are not between 0 and 1 otherwise"
            return f"{subject}, as -log(1e-7), where older ones had -log(2e-7)"
        return None

    def _is_carried(self, loss: Any) -> bool:
        """Whether the writer's Keras computed a loss of the inputs of the activation, as Keras 3 does."""
        carried = not is_before(self.version, _carried_since(self.behind, loss)) and not self.behind & _COPYING
        return carried and _argument(loss, "ignore_class") is None


def _metrics_of(metrics: Any, names: list[str], name: str) -> list[Any]:
    """The metrics of one output, in the forms of Keras 3: a list, for several outputs a list or dict of lists."""
    if isinstance(metrics, Mapping):
        metrics = metrics.get(name)
    elif isinstance(metrics, list) and len(names) > 1:
        metrics = metrics[names.index(name)] if len(metrics) == len(names) else None
    return metrics if isinstance(metrics, list) else []


def _argument(loss: Any, name: str) -> Any:
    """An argument of a loss; None where the loss is a name."""
    config = loss.get("config") if isinstance(loss, Mapping) else None
    return config.get(name) if isinstance(config, Mapping) else None


def _clips(loss: Any) -> bool:
    """Whether a loss is a binary crossentropy of probabilities."""
    return _name_of(loss) in _BINARY | _BINARY_FOCAL and _argument(loss, "from_logits") is not True


def _carried_since(behind: frozenset[str], loss: Any) -> tuple[int, ...]:
    """The first version of Keras whose loss uses the inputs of an activation, whichever of the two it was."""
    if "Softmax" not in behind:
        return _CARRIED_SINCE
    return _OF_LAYER_SINCE if _name_of(loss) in _BINARY else _OF_GRAPH_SINCE


def _adds_epsilon(version: str | None) -> bool:
    """Whether the writer's Keras adds a small number to answers that it has clipped to between 0 and 1: that of
    TensorFlow does (`binary_crossentropy` of tensorflow/python/keras/backend.py, 2.1, and keras/src/backend.py, 2.15).
    """
    return (version or "").endswith("-tf") or not is_before(version, _CARRIED_SINCE)


def _leaves_unit_interval(activation: Any) -> bool:
    """Whether answers of an activation may be 0, 1 or beyond; False for an activation that is not known."""
    return isinstance(activation, str) and activation not in _CARRYING


def _differs(loss: Any, activation: str) -> bool:
    """Whether a loss has another value if it is computed of this activation's inputs instead of its outputs."""
    wanted = _OWN_ACTIVATION.get(_name_of(loss))
    return wanted is not None and (wanted != activation or _argument(loss, "from_logits") is True)


def _name_of(loss: Any) -> str:
    name = loss.get("class_name") if isinstance(loss, Mapping) else loss
    return name if isinstance(name, str) else ""


def _loss_of(loss: Any, names: list[str], name: str) -> Any:
    """The loss of one output, from a single loss, a list or a dict of losses."""
    if isinstance(loss, Mapping) and "class_name" not in loss:
        return loss.get(name)
    if isinstance(loss, list):
        return loss[names.index(name)] if len(loss) == len(names) else None
    return loss


def _layers(config: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    inner = config.get("config")
    layers = inner.get("layers") if isinstance(inner, Mapping) else None
    return [layer for layer in layers or () if isinstance(layer, Mapping) and isinstance(layer.get("config"), Mapping)]


def _output_names(config: Mapping[str, Any]) -> list[str]:
    """The names of the layers whose outputs are those of a model, in their order."""
    layers = _layers(config)
    if config.get("class_name") == "Sequential":
        return [str(layers[-1]["config"].get("name"))] if layers else []
    inner = config.get("config")
    stack, names = [inner.get("output_layers") if isinstance(inner, Mapping) else None], []
    while stack:
        item = stack.pop()
        if isinstance(item, list) and item and isinstance(item[0], str):
            names.append(item[0])
        elif isinstance(item, list | Mapping):
            stack.extend(reversed(item if isinstance(item, list) else list(item.values())))
    return names


def _last_activation(config: Mapping[str, Any], name: str, depth: int) -> tuple[str | None, frozenset[str]]:
    """The last activation before an output, and the classes of the layers after it, which pass its tensor on; None
    where another layer follows it, and for one that is not Keras's own, which a config spells out as an object."""
    behind = set[str]()
    layer = next((candidate for candidate in _layers(config) if candidate["config"].get("name") == name), None)
    for _ in range(MAX_DEPTH):
        if layer is None or not _passes_on(layer):
            break
        behind.add(layer["class_name"])
        layer = _layer_before(config, layer)
    if layer is None or depth > MAX_DEPTH:
        return None, frozenset()
    if layer["class_name"] == "Softmax":
        return "softmax", frozenset(behind | {"Softmax"})
    if layer["class_name"] in _WITH_ACTIVATION:
        own = layer["config"].get("activation")
        return (own if isinstance(own, str) else None), frozenset(behind)
    ends = _output_names(layer) if layer["class_name"] in MODELS else []
    activation, inner = _last_activation(layer, ends[0], depth + 1) if len(ends) == 1 else (None, frozenset[str]())
    return activation, inner | behind


def _passes_on(layer: Mapping[str, Any]) -> bool:
    """Whether a layer of Keras 3 returns its input, the same tensor, outside of training."""
    is_linear = layer["class_name"] == "Activation" and layer["config"].get("activation") == "linear"
    return is_linear or layer["class_name"] in _PASSING_ON


def _layer_before(config: Mapping[str, Any], layer: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The layer of a model on whose output another is called; None where there are several, or none."""
    layers = _layers(config)
    if config.get("class_name") == "Sequential":
        at = next((at for at, candidate in enumerate(layers) if candidate is layer), 0)
        return layers[at - 1] if at else None
    calls = read_calls(layer)
    names = {tensor.layer for call in calls for tensor in call.tensors}
    sources = [candidate for candidate in layers if candidate["config"].get("name") in names]
    return sources[0] if len(calls) == len(sources) == 1 else None
