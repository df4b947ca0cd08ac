"""Layers that Keras 3 has no more, as genuine Keras 1.2.2, 2.2.4 and 2.15 wrote them: what takes their place predicts
what they did, and has their weights."""

import copy
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ckpttool
from ckpttool.conversion import Options, convert, plan
from ckpttool.errors import ConversionError
from tests.conversion.judge import numbered
from tests.conversion.test_anchors import legacy
from tests.live import keras
from tests.samples import FIXTURES

FOLDER = FIXTURES / "gone"
FUNCTION = "merge_function"


def names() -> list[tuple[str, str]]:
    """Each writer with each of its models."""
    cases = []
    for path in sorted(FOLDER.glob("*.zip")):
        with zipfile.ZipFile(path) as archive:
            cases += [(path.stem, name.removesuffix(".h5")) for name in archive.namelist()]
    return cases


MASKED = [pair for pair in names() if pair[1].startswith("mask_refused")]
CASES = [pair for pair in names() if pair[1] != FUNCTION and pair not in MASKED]


def unpacked(writer: str, name: str, folder: Path) -> Path:
    """The file that a writer left."""
    with zipfile.ZipFile(FOLDER / f"{writer}.zip") as archive:
        return Path(archive.extract(f"{name}.h5", folder))


def config_of(path: Path) -> Any:
    """The config in a file, to be changed."""
    with ckpttool.open(path) as checkpoint:
        return json.loads(json.dumps(checkpoint.config))


def check(model: Any, writer: str, name: str) -> None:
    """A model predicts what was recorded."""
    with np.load(FOLDER / f"{writer}.npz") as arrays:
        own = {key.rpartition("/")[2]: arrays[key] for key in arrays.files if key.startswith(f"{name}/")}
    inputs = numbered(own, "x")
    output = np.asarray(model(inputs if len(inputs) > 1 else inputs[0]))
    assert output.shape == own["y0"].shape
    np.testing.assert_allclose(output, own["y0"], rtol=1e-5, atol=5e-6)


@pytest.mark.filterwarnings("ignore:.*destroy the mask")  # what Keras says of models, too, whose layers hand it on
@pytest.mark.parametrize(("writer", "name"), CASES)
def test_predicts_what_old_keras_did(writer: str, name: str, tmp_path: Path) -> None:
    """The file as a whole; every weight that was trained still is."""
    source = unpacked(writer, name, tmp_path)
    result = convert(source, tmp_path / "new.keras")
    assert result.proved
    model = keras().models.load_model(tmp_path / "new.keras")
    check(model, writer, name)
    with ckpttool.open(source) as checkpoint:
        trained = [weight.size for weight in checkpoint.values() if "running" not in weight.path]
    if "local" not in name:  # whose kernels may be larger or smaller
        assert sum(int(np.prod(weight.shape)) for weight in model.trainable_weights) == sum(trained)
    assert all(weight.trainable for weight in model.weights if "moving" not in weight.path)


@pytest.mark.parametrize(("writer", "name"), CASES[::9])
def test_weights_alone(writer: str, name: str, tmp_path: Path) -> None:
    """Its weights alone load into the model that was converted."""
    source = unpacked(writer, name, tmp_path)
    convert(source, tmp_path / "new.keras")
    convert(source, tmp_path / "new.weights.h5")
    model = keras().models.load_model(tmp_path / "new.keras")
    for weight in model.weights:
        weight.assign(np.zeros(weight.shape))
    model.load_weights(tmp_path / "new.weights.h5")
    check(model, writer, name)


def test_the_plan_says_what_became_of_a_merge(tmp_path: Path) -> None:
    """That branches are a graph, and of what classes."""
    result = plan(unpacked("keras1.2-theano", "merge_cos", tmp_path), tmp_path / "new.keras")
    details = {applied.edit.name: applied.detail for applied in result.edits}
    assert "unfold-merge" in details
    assert details["replace-layer"].startswith("Merge by three Dot layers")


@pytest.mark.parametrize("writer", sorted({writer for writer, name in names() if name == FUNCTION}))
def test_a_merge_by_a_function(writer: str, tmp_path: Path) -> None:
    """It is refused by name, unless a function of the user's own takes its place."""
    source = unpacked(writer, FUNCTION, tmp_path)
    with pytest.raises(ConversionError, match="--replace difference=") as refused:
        convert(source, tmp_path / "new.keras")
    assert re.search(r"a Merge layer that computes (\w+)\[0\] - 2 \* \1\[1\];", str(refused.value))
    convert(source, tmp_path / "new.keras", options=Options(functions={"difference": "mine:difference"}))
    functions = {"difference": lambda pair: pair[0] - 2 * pair[1]}
    check(keras().models.load_model(tmp_path / "new.keras", custom_objects=functions), writer, FUNCTION)


@pytest.mark.filterwarnings("ignore:.*destroy the mask")
@pytest.mark.parametrize(("writer", "name"), MASKED)
def test_masks_that_are_others_today_are_refused(
    writer: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mask that Keras 3 makes otherwise is refused where a layer uses it: the new model would predict something else,
    or not open."""
    source = unpacked(writer, name, tmp_path)
    with pytest.raises(
        ConversionError, match=r"which a layer behind uses|uses in Keras 3 the mask|leaves out those that"
    ):
        convert(source, tmp_path / "new.keras")
    monkeypatch.setattr("ckpttool.conversion.config.masks.check", lambda *_: None)
    convert(source, tmp_path / "new.keras")
    with pytest.raises((AssertionError, ValueError), match=r"Mismatched elements|used 2 times|must be broadcastable"):
        check(keras().models.load_model(tmp_path / "new.keras"), writer, name)


def test_a_frozen_layer_stays_frozen(tmp_path: Path) -> None:
    """The weights of what takes its place are not trained."""
    source = unpacked("keras2.2-tensorflow", "local1d", tmp_path)
    config = config_of(source)
    config["config"]["layers"][0]["config"]["trainable"] = False
    (tmp_path / "arch.json").write_text(json.dumps({**config, "keras_version": "2.2.4"}))
    convert(source, tmp_path / "new.keras", arch=tmp_path / "arch.json")
    model = keras().models.load_model(tmp_path / "new.keras")
    assert (len(model.weights), len(model.trainable_weights)) == (2, 0)


def test_hard_sigmoid_can_stay(tmp_path: Path) -> None:
    """With the old function registered the weights are bit for bit what they were."""
    import ckpttool.old_activations  # noqa: F401  registers it

    source = unpacked("keras2.2-tensorflow", "local1d_2", tmp_path)
    assert convert(source, tmp_path / "new.keras", options=Options(keep_weights=True)).transforms == ()
    check(keras().models.load_model(tmp_path / "new.keras"), "keras2.2-tensorflow", "local1d_2")


def refusals(source: Path, config: Any, folder: Path) -> list[str]:
    """Why a file is refused that has another config."""
    (folder / "arch.json").write_text(json.dumps(config))
    return [refusal.what for refusal in plan(source, folder / "new.keras", arch=folder / "arch.json").refusals]


def first(config: Any) -> Any:
    """The config of the first layer of a Sequential model."""
    layers = config["config"]
    return (layers if isinstance(layers, list) else layers["layers"])[0]["config"]


@pytest.mark.parametrize(
    ("name", "changes", "reason"),
    [
        ("local1d", {"batch_input_shape": [None, None, 3]}, "sizes are not known"),
        ("local1d", {"kernel_size": [15]}, "too large"),
    ],
)
def test_what_local_layers_cannot_be(name: str, changes: dict[str, Any], reason: str, tmp_path: Path) -> None:
    """Without the sizes of the input, or with windows that would be a great many slices."""
    source = unpacked("keras2.15-tensorflow", "local1d_2_same_1_last", tmp_path)
    config = config_of(source)
    first_of = next(layer for layer in config["config"]["layers"] if layer["class_name"].startswith("Locally"))
    for entry in config["config"]["layers"]:
        known = changes if entry is first_of else {}
        shape = {key: value for key, value in changes.items() if key == "batch_input_shape"}
        entry["config"] |= {**known, **shape}
    assert any(reason in message for message in refusals(source, config, tmp_path))


@pytest.mark.parametrize("class_name", ["RandomHeight", "RandomWidth", "ThresholdedReLU"])
def test_layers_of_mixed_precision(class_name: str, tmp_path: Path) -> None:
    """Layers without weights keep their dtype policy, and give an input back that they did not change."""
    policy = {"class_name": "Policy", "config": {"name": "mixed_float16"}}
    own = {"theta": 1.0} if class_name == "ThresholdedReLU" else {"factor": 0.2}
    source = legacy(tmp_path / "old.h5", (class_name, {"dtype": policy, **own}, {}), shape=(None, 4, 4, 3))
    result = convert(source, tmp_path / "new.keras")
    assert [loss.where for loss in result.losses] == ["l0"] * class_name.startswith("Random")
    model = keras().models.load_model(tmp_path / "new.keras")
    values = np.full((1, 4, 4, 3), 2.5)
    prediction = model(values)
    assert keras().backend.standardize_dtype(prediction.dtype) == "float16"
    assert np.array_equal(np.asarray(prediction), values)


NEEDED = {"layers", "batch_input_shape", "input_layers", "output_layers", "mode", "output_dim"}
JUNK = [None, [], {}, 5, "x", [[]], [None], [5, {}], {"class_name": "Dense"}, {"class_name": 3, "config": {}}]


@pytest.mark.parametrize("name", ["merge_nested", "merge_graph", "merge_shared", "merge_part"])
def test_branches_that_make_no_sense(name: str, tmp_path: Path) -> None:
    """Any value in a Merge gives a plan or a CheckpointError; a value that makes the graph, a refusal."""
    source = unpacked("keras1.2-theano", name, tmp_path)
    whole = config_of(source)
    places = list(paths(whole["config"]))
    for at, place in enumerate(places[:: max(1, len(places) // 60)]):
        config = copy.deepcopy(whole)
        holder = config["config"]
        for key in place[:-1]:
            holder = holder[key]
        holder[place[-1]] = JUNK[at % len(JUNK)]
        (tmp_path / "arch.json").write_text(json.dumps({**config, "keras_version": "1.2.2"}))
        try:
            result = plan(source, tmp_path / "new.keras", arch=tmp_path / "arch.json")
        except ckpttool.CheckpointError:
            continue
        assert result.refusals or place[-1] not in NEEDED, place


def paths(value: Any, begin: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The places of all values in a config."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, item in pairs for place in ((*begin, key), *paths(item, (*begin, key)))]


@pytest.mark.parametrize("change", ["two layers of a name", "no shape", "two outputs"])
def test_branches_that_tell_no_graph_are_refused(change: str, tmp_path: Path) -> None:
    """The Merge stays what it was, and is refused."""
    source = unpacked("keras1.2-theano", "merge_graph", tmp_path)
    config = config_of(source)
    graph, branch = first(config)["layers"]
    if change == "two layers of a name":
        branch["config"][0]["config"]["name"] = graph["config"]["layers"][2]["config"]["name"]
    elif change == "no shape":
        del branch["config"][0]["config"]["batch_input_shape"]
    else:
        graph["config"]["output_layers"] *= 2
    reasons = refusals(source, {**config, "keras_version": "1.2.2"}, tmp_path)
    assert any("Merge, which Keras 3 no longer has" in reason for reason in reasons)
