"""Layers of a user's own classes without a live model: what a port to Keras 3 can load, and else a refusal."""

import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from ckpttool import diff
from ckpttool.conversion import convert, plan
from ckpttool.errors import ConversionError
from ckpttool.model.arguments import Args
from tests.conversion import own_classes
from tests.live import keras as live_keras
from tests.samples import FIXTURES

keras: Any = live_keras()
pytestmark = pytest.mark.filterwarnings("ignore")

X = np.asarray([[0.1, -0.4, 0.7], [0.9, 0.2, -0.3]], "float32")
W = np.asarray([0.5, 1.5, -2.0], "float32")
SEEN = np.asarray([0.25], "float32")
KERNEL = np.arange(6, dtype="float32").reshape(3, 2) / 10
BIAS = np.asarray([0.3, -0.1], "float32")
LIVE = "--arch package.module:function"


class Holder(keras.Model):  # type: ignore[misc, unused-ignore]
    """A model that keeps a layer and builds it itself."""

    def __init__(self, trainable: bool = True, **kwargs: Any) -> None:
        super().__init__(trainable=trainable, **kwargs)
        self.projection = keras.layers.Dense(3, name="one")

    def build(self, input_shape: Any) -> None:
        """Build the layer."""
        self.projection.build(input_shape)
        self.built = True

    def call(self, x: Any) -> Any:
        """Call the layer."""
        return self.projection(x)


class Scale(keras.layers.Layer):  # type: ignore[misc, unused-ignore]
    """A weight and what is not trained, made in that order last."""

    def build(self, shape: Any) -> None:
        """Makes what is not trained first."""
        self.seen = self.add_weight(name="seen", shape=(1,), trainable=False)
        self.w = self.add_weight(name="w", shape=(shape[-1],))

    def call(self, x: Any) -> Any:
        """x times w, and seen."""
        return x * self.w + self.seen


class Cell(keras.layers.Layer):  # type: ignore[misc, unused-ignore]
    """A cell that adds up its scaled input."""

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = self.state_size = self.output_size = units

    def build(self, shape: Any) -> None:
        """Makes its weight."""
        self.w = self.add_weight(name="w", shape=(self.units,))

    def call(self, x: Any, states: Any) -> Any:
        """The sum so far."""
        return (total := states[0] + x * self.w), [total]

    def get_config(self) -> dict[str, Any]:
        """With the units."""
        return {**super().get_config(), "units": self.units}


OBJECTS = {"Scale": Scale, "Cell": Cell, "Block": own_classes.Block}


def entry(class_name: str, name: str, *inbound: str, **config: Any) -> dict[str, Any]:
    """A layer of Keras 2 in a graph, called on the layers of these names."""
    nodes = [[[name, 0, 0, {}] for name in inbound]] if inbound else []
    own = {"name": name, "trainable": True, "dtype": "float32", **config}
    return {"class_name": class_name, "name": name, "config": own, "inbound_nodes": nodes}


def graph(name: str, *layers: Mapping[str, Any]) -> dict[str, Any]:
    """A Functional model of Keras 2 from its first layer to its last."""
    ends = {key: [[layers[at]["name"], 0, 0]] for key, at in (("input_layers", 0), ("output_layers", -1))}
    return {"class_name": "Functional", "config": {"name": name, "layers": list(layers), **ends}}


def legacy(path: Path, config: Mapping[str, Any], layers: Mapping[str, Sequence[tuple[str, Any]]]) -> Path:
    """A whole model as tf.keras 2.15 stores it."""
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"], file.attrs["backend"] = "2.15.0", "tensorflow"
        top = file.create_group("model_weights")
        top.attrs["layer_names"] = [name.encode() for name in layers]
        for name, weights in layers.items():
            group = top.create_group(name)
            group.attrs["weight_names"] = [weight.encode() for weight, _ in weights]
            for weight, value in weights:
                group[weight] = value
    return path


INPUT = entry("InputLayer", "i", batch_input_shape=[None, 3])
DENSE = [("d/kernel:0", KERNEL), ("d/bias:0", BIAS)]
OWN = [("s/w:0", W), ("s/seen:0", SEEN)]


def test_an_own_layer_in_front(tmp_path: Path) -> None:
    """Its weights are the list that it wrote; TensorFlow's number behind its scope does not hide that."""
    numbered = [(name.replace("s/", "s_1/"), value) for name, value in OWN]
    config = graph("m", INPUT, entry("Scale", "s", "i"), entry("Dense", "d", "s", units=2))
    source = legacy(tmp_path / "old.h5", config, {"i": [], "s": numbered, "d": DENSE})
    assert [guess.where for guess in convert(source, tmp_path / "new.keras").guesses] == ["own classes"]
    model = keras.saving.load_model(tmp_path / "new.keras", custom_objects=OBJECTS)
    np.testing.assert_allclose(model(X), (X * W + SEEN) @ KERNEL + BIAS, rtol=1e-6)


@pytest.mark.parametrize("broken", ["twice", "absent"])
def test_an_unfinished_save_is_refused(broken: str, tmp_path: Path) -> None:
    """Names that an own layer lists and the file does not hold, or that it lists twice, of which HDF5 holds one."""
    config = graph("m", INPUT, entry("Scale", "s", "i"), entry("Dense", "d", "s", units=2))
    source = legacy(tmp_path / "old.h5", config, {"i": [], "s": OWN, "d": DENSE})
    with h5py.File(source, "r+") as file:
        group = file["model_weights/s"]
        group.attrs["weight_names"] = [b"s/w:0", b"s/seen:0", b"s/w:0" if broken == "twice" else b"s/other:0"]
    with pytest.raises(ConversionError, match=r"listed in weight_names but not stored|lists it more than once"):
        convert(source, tmp_path / "new.keras")


@pytest.mark.parametrize("has_weights", [False, True], ids=["model", "layer"])
def test_what_may_be_a_model_of_an_own_class_is_refused(has_weights: bool, tmp_path: Path) -> None:
    """Its config states no trainable, and a layer of Keras that its `build` builds has weights of just these names:
    Keras 3 keeps them below that layer, and does not load them as those of the own class."""
    layer = entry("Holder", "k", "i")
    if not has_weights:
        layer["config"] = {"name": "k"}
    config = graph("m", INPUT, layer, entry("Dense", "d", "k", units=2))
    weights = {"i": [], "k": [("k/kernel:0", np.eye(3, dtype="float32")), ("k/bias:0", W)], "d": DENSE}
    source, target = legacy(tmp_path / "old.h5", config, weights), tmp_path / "new.keras"
    if not has_weights:
        with pytest.raises(ConversionError) as refused:
            convert(source, target)
        assert "k: 2 weights of the class Holder of your own, which may be a model" in str(refused.value)
        assert LIVE in str(refused.value)
        return
    assert [guess.where for guess in convert(source, target).guesses] == ["own classes"]
    with pytest.raises(ValueError, match="expected 0 variables, but received 2"):
        keras.saving.load_model(target, custom_objects={"Holder": Holder})


@pytest.mark.parametrize(("version", "guessed"), [("2.2.4", True), ("2.3.1", False), ("2.2.4-tf", False)])
def test_weights_that_were_not_saved(version: str, guessed: bool, tmp_path: Path) -> None:
    """Keras up to 2.2 did not save those of layers in own layers, of which a file then says nothing."""
    config = graph("m", INPUT, entry("Block", "b", "i"), entry("Dense", "d", "b", units=2))
    path = legacy(tmp_path / "old.h5", config, {"i": [], "b": [], "d": DENSE})
    with h5py.File(path, "r+") as file:
        file.attrs["keras_version"] = version
    messages = [guess.what for guess in convert(path, tmp_path / "new.keras").guesses]
    assert any(guess.startswith("the file stores no weights for b; ") for guess in messages) == guessed


def nested(tmp_path: Path) -> Path:
    """A model in which a model has a layer of an own class before one of Keras; what is not trained comes last."""
    start = entry("InputLayer", "j", batch_input_shape=[None, 3])
    inner = graph("sub", start, entry("Scale", "s", "j"), entry("Dense", "d", "s", units=2))
    config = graph("m", INPUT, {**inner, "name": "sub", "inbound_nodes": [[["i", 0, 0, {}]]]})
    return legacy(tmp_path / "old.h5", config, {"i": [], "sub": [OWN[0], *DENSE, OWN[1]]})


@pytest.mark.parametrize("form", ["keras", "h5"])
def test_an_own_layer_in_a_nested_model(form: str, tmp_path: Path) -> None:
    """Its weights are known by their names from those beside them; a legacy file keeps their order."""
    target = tmp_path / f"new.{form}"
    convert(nested(tmp_path), target)
    convert(nested(tmp_path), tmp_path / "new.keras", force=True)
    model = keras.saving.load_model(tmp_path / "new.keras", custom_objects=OBJECTS)
    if form == "h5":
        for weight in model.weights:
            weight.assign(weight * 0)
        model.load_weights(target)
    np.testing.assert_allclose(model(X), (X * W + SEEN) @ KERNEL + BIAS, rtol=1e-6)


@pytest.mark.parametrize("scope", ["r", "r/c"])
def test_an_own_cell(scope: str, tmp_path: Path) -> None:
    """All weights of an RNN are those of its cell."""
    cell = {"class_name": "Cell", "config": {"name": "c", "trainable": True, "dtype": "float32", "units": 3}}
    start = entry("InputLayer", "i", batch_input_shape=[None, 2, 3])
    source = legacy(
        tmp_path / "old.h5",
        graph("m", start, entry("RNN", "r", "i", cell=cell)),
        {"i": [], "r": [(f"{scope}/w:0", W)]},
    )
    convert(source, tmp_path / "new.keras")
    model = keras.saving.load_model(tmp_path / "new.keras", custom_objects=OBJECTS)
    np.testing.assert_allclose(model(X[None]), [(X * W).sum(0)], rtol=1e-6)


INNER = {"class_name": "Dense", "config": {"name": "in", "trainable": True, "dtype": "float32", "units": 2}}
HOLDERS = {
    "by its names": ({}, [("s/one/kernel:0", KERNEL), ("s/one/bias:0", BIAS)]),
    "by two scopes": ({}, [("s/w:0", W), ("s/one/kernel:0", KERNEL)]),
    "by its config": ({"layer": INNER}, [("s/kernel:0", KERNEL), ("s/bias:0", BIAS)]),
    "in a list of its config": ({"blocks": [{"of": INNER}]}, [("s/kernel:0", KERNEL)]),
}


@pytest.mark.parametrize("form", ["keras", "h5"])
@pytest.mark.parametrize(("config", "weights"), HOLDERS.values(), ids=HOLDERS)
def test_an_own_layer_that_holds_layers_is_refused(
    config: Mapping[str, Any], weights: Sequence[tuple[str, Any]], form: str, tmp_path: Path
) -> None:
    """In one line, with the way out."""
    new_config = graph("m", INPUT, entry("Scale", "s", "i", **config), entry("Dense", "d", "s", units=2))
    source = legacy(tmp_path / "old.h5", new_config, {"i": [], "s": weights, "d": DENSE})
    result = plan(source, f"new.{form}")
    assert [refusal.where for refusal in result.refusals] == ["s"]
    assert LIVE in result.refusals[0].what


def test_layers_in_its_config_are_as_keras_3_writes_them(tmp_path: Path) -> None:
    """So that the port can make them; initializers that are called as a layer is stay as they are."""
    inner = {"class_name": "Activation", "config": {"name": "a", "trainable": True, "activation": "relu"}}
    identity = {"class_name": "Identity", "config": {"gain": 1.0}}
    new_config = graph("m", INPUT, entry("Scale", "s", "i", of=[inner], start=identity))
    result = plan(legacy(tmp_path / "old.h5", new_config, {"i": [], "s": OWN}), "new.keras")
    assert not result.refusals
    convert(tmp_path / "old.h5", tmp_path / "new", to="keras-dir")
    config = json.loads((tmp_path / "new" / "config.json").read_text())["config"]["layers"][1]["config"]
    assert config["start"] == identity
    assert keras.saving.deserialize_keras_object(config["of"][0]).name == "a"


def test_a_hard_sigmoid_of_its_own_is_a_guess(tmp_path: Path) -> None:
    """The class looks it up in Keras 3, where it has another slope; where a layer in it does, it is refused."""
    config = graph("m", INPUT, entry("Scale", "s", "i", activation="hard_sigmoid"))
    result = plan(legacy(tmp_path / "old.h5", config, {"i": [], "s": OWN}), "new.keras")
    assert any("slope" in guess.what for guess in result.guesses)
    inner = {**INNER, "config": {**INNER["config"], "activation": "hard_sigmoid"}}
    config = graph("m", INPUT, entry("Scale", "s", "i", of=inner))
    result = plan(legacy(tmp_path / "other.h5", config, {"i": [], "s": []}), "new.keras")
    assert [refusal.where for refusal in result.refusals] == ["s"]


def test_own_layers_in_own_layers_of_keras_2_keep_their_groups(tmp_path: Path) -> None:
    """A `.keras` of 2.15 has the paths of Keras 3, so that the port loads it as it is."""
    truth = json.loads((FIXTURES / "own_classes" / "predicted.json").read_text())
    convert(FIXTURES / "own_classes" / "model.keras", tmp_path / "new.keras")
    model = keras.saving.load_model(tmp_path / "new.keras", custom_objects=OBJECTS)
    np.testing.assert_allclose(model(np.asarray(truth["inputs"], "float32")), truth["output"], rtol=1e-6)


class Pair(keras.layers.Layer):  # type: ignore[misc, unused-ignore]
    """Layers with names of their own, one without weights, in a class without a `get_config`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.first, self.rest = keras.layers.Dense(3, name="one"), [keras.layers.Dropout(0.5, name="two")]

    def build(self, shape: Any) -> None:
        """Builds the one with weights."""
        self.first.build(shape)

    def call(self, x: Any) -> Any:
        """One after the other."""
        return self.rest[0](self.first(x))


def stored_names(path: Path) -> dict[str, str]:
    """The names that a `.weights.h5` has of its objects, by their groups."""
    paths: dict[str, str] = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: paths.update({name: item.attrs["name"]} if "name" in item.attrs else {}))
    return paths


@pytest.mark.parametrize("named", [True, False])
def test_all_stored_names_of_objects_stay(named: bool, tmp_path: Path) -> None:
    """As Keras stores them: of objects without weights, and of a second layer of a class whose config has no name."""
    inputs = keras.Input((3,))
    model = keras.Model(inputs, Pair(name="b")(Pair(name="a")(inputs)) if named else Pair()(inputs))
    model.save(tmp_path / "old.keras")
    model.save_weights(tmp_path / "old.weights.h5")
    for source in ("old.keras", "old.weights.h5"):
        convert(tmp_path / source, tmp_path / "new.weights.h5", force=True)
        assert stored_names(tmp_path / "new.weights.h5") == stored_names(tmp_path / "old.weights.h5")
    convert(tmp_path / "old.keras", tmp_path / "new.keras")
    assert not diff(tmp_path / "old.keras", tmp_path / "new.keras").differences


def test_the_name_beside_a_config_counts_where_that_has_none() -> None:
    """In an entry of a graph, as of classes without a `get_config`."""
    assert Args.of({"class_name": "Pair", "name": "b", "config": {"dtype": "float32"}}).name == "b"
    assert Args.of({"class_name": "Dense", "name": "b", "config": {"name": "c"}}).name == "c"


MASK = np.asarray([[1, 0], [0, 1], [1, 1]], "float32")
INSIDE = {"class_name": "Dense", "config": {"name": "d", "trainable": True, "dtype": "float32", "units": 2}}


def wrapped(class_name: str, name: str) -> dict[str, Any]:
    """A model of an own layer and a Dense in a wrapper of the TensorFlow Model Optimization Toolkit."""
    return graph("m", INPUT, entry("Scale", "s", "i"), entry(class_name, name, "s", layer=INSIDE))


def test_the_wrapper_of_pruning_is_taken_off(tmp_path: Path) -> None:
    """It predicted with the kernel times its mask, which the kernel that is stored after a step of training is not."""
    state = [("p/mask:0", MASK), ("p/threshold:0", np.float32(0.1)), ("p/pruning_step:0", np.int64(3))]
    stored = {"i": [], "s": OWN, "p": [*DENSE, *state]}
    source = legacy(tmp_path / "old.h5", wrapped("PruneLowMagnitude", "p"), stored)
    result = convert(source, tmp_path / "new.keras")
    assert [applied.where for applied in result.edits if applied.edit.name == "strip-wrapper"] == ["p"]
    model = keras.saving.load_model(tmp_path / "new.keras", custom_objects=OBJECTS)
    np.testing.assert_allclose(model(X), (X * W + SEEN) @ (KERNEL * MASK) + BIAS, rtol=1e-6)


def test_the_wrapper_of_pruning_is_taken_off_in_the_path_layout(tmp_path: Path) -> None:
    """There the wrapper lists the pruned weight as its own too, in front of the mask."""
    weights = {"layer/vars/0": KERNEL, "layer/vars/1": BIAS, "vars/0": KERNEL, "vars/1": MASK}
    weights |= {"vars/2": np.float32(0.1), "vars/3": np.int64(3)}
    with h5py.File(tmp_path / "old.weights.h5", "w") as file:
        for path, value in weights.items():
            file[f"layers/prune_low_magnitude/{path}"] = value
        file["layers/dense/vars/0"], file["layers/dense/vars/1"] = KERNEL[:, :1].T @ KERNEL[:, :1] + MASK[:2], BIAS
    last = entry("Dense", "last", "p", units=2)
    layers = [INPUT, entry("PruneLowMagnitude", "p", "i", layer=INSIDE), last]
    (tmp_path / "old.json").write_text(json.dumps({**graph("m", *layers), "keras_version": "2.15.0"}))
    convert(tmp_path / "old.weights.h5", tmp_path / "new.keras", arch=tmp_path / "old.json")
    model = keras.saving.load_model(tmp_path / "new.keras")
    second = KERNEL[:, :1].T @ KERNEL[:, :1] + MASK[:2]
    np.testing.assert_allclose(model(X), (X @ (KERNEL * MASK) + BIAS) @ second + BIAS, rtol=1e-6)


def test_a_wrapper_that_marks_a_layer_is_taken_off(tmp_path: Path) -> None:
    """It has no weights and computes nothing; what quantizes is refused."""
    stored = {"i": [], "s": OWN, "q": DENSE}
    convert(legacy(tmp_path / "old.h5", wrapped("QuantizeAnnotate", "q"), stored), tmp_path / "new.keras")
    model = keras.saving.load_model(tmp_path / "new.keras", custom_objects=OBJECTS)
    np.testing.assert_allclose(model(X), (X * W + SEEN) @ KERNEL + BIAS, rtol=1e-6)
    result = plan(legacy(tmp_path / "other.h5", wrapped("QuantizeWrapperV2", "q"), stored), "new.keras")
    assert "which is for Keras 2 only" in result.refusals[0].what


@pytest.mark.parametrize(("activation", "written"), [("mine", "mine"), ("relu", None), ("gelu", "gelu")])
def test_the_activation_of_an_own_class(activation: str, written: str | None, tmp_path: Path) -> None:
    """Is an object where it is the author's own, also where Keras 3 has one of that name; that is a guess."""
    config = graph("m", INPUT, entry("Scale", "s", "i", activation=activation), entry("Dense", "d", "s", units=2))
    path = legacy(tmp_path / "old.h5", config, {"i": [], "s": OWN, "d": DENSE})
    with h5py.File(path, "r+") as file:
        file.attrs["keras_version"] = "2.2.4"
    result = convert(path, tmp_path / "new.keras")
    with zipfile.ZipFile(tmp_path / "new.keras") as archive:
        layers = json.loads(archive.read("config.json"))["config"]["layers"]
    (new_activation,) = [layer["config"]["activation"] for layer in layers if layer["class_name"] == "Scale"]
    assert (new_activation if written is None else new_activation["config"]) == activation
    assert any("is written as an object" in guess.what for guess in result.guesses) == (written is not None)
    assert any(need.where == activation for need in result.needs) == (written is not None)
