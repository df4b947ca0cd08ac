"""Functions and objects that arguments name: whose they are, and whether live Keras finds them."""

import copy
from typing import Any

import numpy as np
import pytest

from ckpttool.conversion import Options
from ckpttool.conversion.compile.settings import compile_config
from ckpttool.conversion.config.functions import _WRITTEN_AS_OWN
from ckpttool.conversion.config.hard_sigmoid import KNOWN
from ckpttool.conversion.config.rewriter import Generation, rewrite
from ckpttool.conversion.journal import Journal
from ckpttool.conversion.origin import Origin
from ckpttool.model.generations.known_names import _SINCE, Had, KerasVersion
from ckpttool.model.generations.own_classes import marked
from ckpttool.model.layers.table import LAYERS, OLD_LAYERS
from tests.conversion.of_generation import of_generation
from tests.live import keras

K0, K1, K2, K3 = Generation

LAYERS_WITH_ACTIVATION: dict[str, dict[str, Any]] = {
    "Activation": {},
    "Dense": {"units": 2},
    "Conv1D": {"filters": 2, "kernel_size": 2},
    "SeparableConv1D": {"filters": 2, "kernel_size": 2},
    "LSTM": {"units": 2},
    "GRU": {"units": 2},
    "SimpleRNN": {"units": 2},
}


def model(*layers: dict[str, Any]) -> dict[str, Any]:
    """A Sequential model of Keras 2 of these layers."""
    first = {"class_name": "InputLayer", "config": {"name": "x", "batch_input_shape": [None, 4, 3]}}
    return {"class_name": "Sequential", "config": {"name": "model", "layers": [first, *layers]}}


def rewritten(config: Any, version: str | None, *builtins: str) -> tuple[dict[str, Any], Journal]:
    """The config in the words of Keras 3, and what was noted."""
    journal = Journal()
    generation = Generation(int((version or "2")[0]))
    options = Options(builtins=frozenset(builtins))
    return rewrite(of_generation(config, generation), journal, options, Origin(version)).config, journal


def loaded(config: Any, **objects: Any) -> Any:
    """The model that live Keras makes of a config."""
    return keras().saving.deserialize_keras_object(copy.deepcopy(config), custom_objects=objects)


def activation_of(model: Any) -> Any:
    """The activation of the last layer of a model, in whatever holds it."""
    layer = model.layers[-1]
    layer = getattr(layer, "forward_layer", getattr(layer, "layer", layer))
    return getattr(layer, "cell", layer).activation


def mine(name: str) -> Any:
    """A function of the author's own, which has this name."""

    def function(x: Any, dtype: Any = None) -> Any:
        return 7.0

    function.__name__ = name.rpartition(">")[2]
    return function


RECURRENT = ("LSTM", "GRU", "SimpleRNN")
PLACES = [
    *((class_name, wrapper) for class_name in LAYERS_WITH_ACTIVATION for wrapper in ("", "nested")),
    *((class_name, "Bidirectional") for class_name in RECURRENT),
    ("Dense", "TimeDistributed"),
]


@pytest.mark.parametrize("name", ["exp", "softplus2", "mine>act", "mse", "gelu", "swish", "hard_swish", "leaky_relu"])
@pytest.mark.parametrize(("class_name", "wrapper"), PLACES)
def test_an_own_activation_is_looked_up(class_name: str, wrapper: str, name: str) -> None:
    """In custom_objects, under the name that is said, and nowhere else; also where Keras 3 has that name."""
    own = {**LAYERS_WITH_ACTIVATION[class_name], "name": "own", "activation": name}
    layer: dict[str, Any] = {"class_name": class_name, "config": own}
    if wrapper in ("TimeDistributed", "Bidirectional"):
        layer = {"class_name": wrapper, "config": {"name": "outer", "layer": layer}}
    inner = {"class_name": "Sequential", "config": {"name": "inner", "layers": [layer]}}
    config, journal = rewritten(model(inner if wrapper == "nested" else layer), "2.2.4")
    if wrapper == "Bidirectional" and name in ("gelu", "leaky_relu"):
        assert [refusal.where for refusal in journal.refusals] == ["outer"]  # Keras 3 would put its own in its place
        return
    assert not journal.refusals
    assert [need.where for need in journal.needs] == [name]
    assert f'custom_objects={{"{name}": ' in journal.needs[0].what
    function = mine(name)
    if ">" in name:  # Keras 3 writes the name that a function is registered under
        keras().saving.register_keras_serializable("mine", "act")(function)
    new_model = loaded(config, **{name: function})
    keras().saving.get_custom_objects().pop(name, None)
    assert activation_of(new_model.layers[-1] if wrapper == "nested" else new_model) is function
    with pytest.raises((TypeError, ValueError)):
        loaded(config)


@pytest.mark.parametrize("key", ["activation", "kernel_initializer", "kernel_regularizer", "kernel_constraint"])
@pytest.mark.parametrize("name", ["<lambda>", "outer_<locals>", "f.<locals>.g", ""])
def test_a_function_without_a_name(key: str, name: str) -> None:
    """Is refused: the file does not hold its code, and nothing could look it up."""
    _, journal = rewritten(model({"class_name": "Dense", "config": {"name": "d", "units": 2, key: name}}), "2.2.4")
    assert [refusal.where for refusal in journal.refusals] == ["d"]
    assert name in journal.refusals[0].what


class Own:
    """An initializer, regularizer or constraint of the author's own."""

    def __init__(self, rate: float = 0.5) -> None:
        self.rate = rate

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Nothing of use."""
        return self.rate

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Own":
        """With its rate."""
        return cls(**config)


@pytest.mark.parametrize("key", ["bias_initializer", "bias_regularizer", "bias_constraint", "activity_regularizer"])
@pytest.mark.parametrize("own_object", ["own", "pkg>own", {"class_name": "Own", "config": {"rate": 0.25}}])
@pytest.mark.parametrize("version", ["2.0.9", "2.2.4", "2.2.4-tf", "2.15.0"])
def test_own_objects(key: str, own_object: Any, version: str) -> None:
    """Functions by name and objects of a class are found under the name that is said, which is said once."""
    layers = [{"class_name": "Dense", "config": {"name": name, "units": 2, key: own_object}} for name in "ab"]
    config, journal = rewritten(model(*layers), version)
    name = own_object if isinstance(own_object, str) else "Own"
    assert [need.where for need in journal.needs] == [name]
    function = mine(name)
    new_model = loaded(config, **{name: Own if name == "Own" else function})
    value = getattr(new_model.layers[-1], key)
    assert value is function if isinstance(own_object, str) else value.rate == 0.25
    with pytest.raises((TypeError, ValueError)):
        loaded(config)


@pytest.mark.parametrize(
    ("version", "name", "outcome"),
    [
        ("1.2.2", "gelu", "own"),
        ("1.2.2", "selu", "guess"),
        (None, "swish", "own"),
        ("2.2.4", "elu", "plain"),
        ("2.2.4", "gelu", "own"),
        ("2.2.4", "swish", "own"),
        ("2.2.4", "relu6", "guess"),
        ("2.2.4", "mish", "guess"),
        ("2.2.4", "exponential", "plain"),
        ("2.2.2", "exponential", "guess"),
        ("2.3.1", "gelu", "own"),
        ("2.2.4-tf", "gelu", "own"),
        ("2.2.4-tf", "swish", "guess"),
        ("2.2.4-tf", "leaky_relu", "guess"),
        ("2.3.0-tf", "swish", "guess"),
        ("2.4.0", "swish", "plain"),
        ("2.4.0", "gelu", "guess"),
        ("2.5.0", "gelu", "plain"),
        ("2.12.0", "mish", "guess"),
        ("2.13.1", "mish", "plain"),
        ("2.15.0", "hard_swish", "own"),
        ("2.15.0", "hard_silu", "own"),
        ("2.15.0", "leaky_relu", "guess"),
        ("2.15.0", "threshold", "own"),
    ],
)
def test_names_before_their_time(version: str | None, name: str, outcome: str) -> None:
    """Are the author's: asked for where the name stands for several functions, a guess where it stands for one."""
    layer = {"class_name": "Dense", "config": {"name": "d", "units": 2, "activation": name}}
    config, journal = rewritten(model(layer), version)
    activation = config["config"]["layers"][-1]["config"]["activation"]
    assert (activation == name) == (outcome != "own")
    assert len(journal.guesses) == (outcome == "guess")
    assert [need.where for need in journal.needs] == ([name] if outcome == "own" else [])
    config, journal = rewritten(model(layer), version, name)
    assert config["config"]["layers"][-1]["config"]["activation"] == name
    assert not journal.needs


def test_the_table_is_of_what_keras_3_has() -> None:
    """No activation or layer is missing from the table or in it in vain."""
    always = {"hard_sigmoid", "linear", "relu", "sigmoid", "softmax", "softplus", "tanh"}
    assert set(_SINCE["activations"]) == KNOWN - always
    assert set(_SINCE["layers"]) <= LAYERS.keys() | OLD_LAYERS.keys()
    for kind in ("losses", "metrics", "regularizers", "constraints", "initializers"):
        assert set(_SINCE[kind]) <= {*_SINCE[kind], *vars(getattr(keras(), kind))}


def test_what_keras_writes_as_its_own() -> None:
    """A function of such a name is lost where Keras 3 writes it."""
    names = {name for name in KNOWN if name not in vars(keras().src.activations)}
    assert KNOWN - names == _WRITTEN_AS_OWN


def test_versions() -> None:
    """Of files that state none, and of TensorFlow's."""
    assert KerasVersion.of(K3, None).had("activations", "mish") is Had.YES
    assert KerasVersion.of(K2, None).had("activations", "mish") is Had.NO
    assert KerasVersion.of(K2, "2.2.4-tf").had("layers", "Attention") is Had.YES
    assert KerasVersion.of(K2, "2.2.4").had("layers", "Attention") is Had.NO
    had = KerasVersion.of(K2, "2.15.0").had
    assert all(had("layers", name) is Had.YES for name in ("Dense", "GlobalAvgPool2D", "Model", "Wrapper", "Mine"))
    assert all(had("layers", name) is Had.NO for name in ("RMSNormalization", "GroupQueryAttention", "RandomHue"))
    assert str(KerasVersion.of(K1, None)) == "Keras 1"
    assert str(KerasVersion.of(K2, "2.2.4-tf")) == "Keras 2.2.4-tf"


@pytest.mark.parametrize("module", [{}, {"module": "keras.layers", "registered_name": None}])
def test_a_layer_as_activation(module: dict[str, Any]) -> None:
    """Is rewritten as layers are."""
    entry = {**module, "class_name": "LeakyReLU", "config": {"name": "l", "alpha": {"type": "ndarray", "value": 0.25}}}
    layer = {"class_name": "Dense", "config": {"name": "d", "units": 2, "activation": entry}}
    config, journal = rewritten(model(layer), "2.3.0-tf")
    assert activation_of(loaded(config)).negative_slope == 0.25
    assert not journal.needs


def test_layers_before_their_time() -> None:
    """A layer whose class the writer's Keras did not have is one of the author's own class, in whatever holds it."""
    own = {"class_name": "Attention", "config": {"name": "own", "use_scale": False}}
    wrapped = {"class_name": "TimeDistributed", "config": {"name": "outer", "layer": own}}
    inner = {"class_name": "Sequential", "config": {"name": "inner", "layers": [own, wrapped]}}
    config = marked(model(inner), "2.2.4")
    new_config, journal = rewritten(config, "2.2.4")
    layers = new_config["config"]["layers"][-1]["config"]["layers"]
    for layer in (layers[0], layers[1]["config"]["layer"]):
        assert (layer["module"], layer["registered_name"]) == (None, "Attention")
    assert [need.where for need in journal.needs] == ["Attention"]
    assert marked(model(inner), "2.2.4-tf") == model(inner)
    assert marked(model(inner)) == model(inner)


@pytest.mark.parametrize("entry", [{"module": "tensorflow_addons.layers.adaptive_pooling"}, {}])
def test_layers_of_tensorflow_addons(entry: dict[str, Any]) -> None:
    """That Keras 3 has are those of Keras 3, as all generations of tf.keras name them."""
    name = "Addons>AdaptiveAveragePooling1D"
    named = {"class_name": name.partition(">")[2], "registered_name": name} if entry else {"class_name": name}
    layer = {**entry, **named, "config": {"name": "p", "output_size": [2], "data_format": "channels_last"}}
    config, journal = rewritten(model(layer), "2.13.1" if entry else "2.4.0")
    x = np.arange(24.0).reshape(2, 4, 3)
    np.testing.assert_allclose(loaded(config)(x), x.reshape(2, 2, 2, 3).mean(axis=2))
    assert not journal.needs


@pytest.mark.parametrize(
    ("version", "settings", "lost"),
    [
        ("2.2.4", {"loss": "huber_loss"}, "the loss: huber_loss, which Keras 2.2.4 did not have"),
        ("2.2.4-tf", {"loss": "huber_loss"}, ""),
        ("2.2.4", {"loss": "dice"}, "the loss: dice, which Keras 2.2.4 did not have"),
        ("2.15.0", {"loss": "mse", "metrics": ["f1_score"]}, "metrics: f1_score, which Keras 2.15.0 did not have"),
        ("2.2.4", {"loss": "mse", "metrics": ["recall"]}, "metrics: recall, which Keras 2.2.4 did not have"),
        ("2.2.4", {"loss": "mse", "metrics": ["mae", "acc"]}, ""),
    ],
)
def test_losses_and_metrics_before_their_time(version: str, settings: dict[str, Any], lost: str) -> None:
    """Are the author's, so that they are lost and never those that Keras 3 has under these names."""
    journal = Journal()
    optimizer = {"class_name": "SGD", "config": {"lr": 0.1, "momentum": 0.0, "decay": 0.0, "nesterov": False}}
    new_settings = compile_config({"optimizer_config": optimizer, **settings}, version, [("y", "y")], journal)
    assert new_settings is not None
    assert [loss.what for loss in journal.losses if lost and loss.what.startswith(lost)] or not lost
    assert bool(journal.losses) == bool(lost)
