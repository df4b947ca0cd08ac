"""The generation of Keras that wrote a config: the fixtures of every version, and the signs by which they differ."""

import json
from typing import Any

import pytest

import ckpttool
from ckpttool.errors import CheckpointError
from ckpttool.model.generations.generation import Generation, generation_of
from tests.loops import for_each
from tests.model.generations.cases import ALL, Case
from tests.samples import FIXTURES, TRUE_FILES

ARCHITECTURES = sorted(
    path.relative_to(FIXTURES).as_posix()
    for path in FIXTURES.glob("keras*/*.json")
    if not path.name.endswith(".weights.json")
)

# Classes of Keras 1 whose config alone may be of Keras 2 as well: nothing in it was renamed.
SAME_IN_BOTH = {
    *("Activation", "ActivityRegularization", "Cropping2D", "ELU", "Highway", "LeakyReLU", "Masking", "MaxoutDense"),
    *("ParametricSoftplus", "RepeatVector", "Reshape", "SReLU", "ThresholdedReLU", "UpSampling1D", "UpSampling2D"),
    *("ZeroPadding1D", "ZeroPadding2D"),
}


def config_of(name: str) -> Any:
    """The config in a fixture, None where there is none."""
    try:
        with ckpttool.open(FIXTURES / name) as checkpoint:
            return checkpoint.config
    except CheckpointError:
        return None


def by_folder(name: str) -> Generation:
    """The generation that wrote the fixtures of a folder."""
    return Generation(3 if name.startswith("tuned/") else int(name.removeprefix("keras")[0]))


@pytest.mark.parametrize("name", [name for name in TRUE_FILES if config_of(name) is not None])
def test_whole_models(name: str) -> None:
    """The config in a whole model tells which generation wrote it, though the files of Keras 1 do not."""
    assert generation_of(config_of(name)) is by_folder(name)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_architectures(name: str) -> None:
    """So does the config in a file of its own, of Keras 0.3 too, and without the version that stands in it."""
    config = json.loads((FIXTURES / name).read_text())
    assert generation_of(config) is by_folder(name)
    assert generation_of({key: value for key, value in config.items() if key != "keras_version"}) is by_folder(name)


@for_each([case for case in ALL if case.class_name not in SAME_IN_BOTH])
def test_single_layers(case: Case) -> None:
    """Even the config of a single layer tells it, where an argument of it was ever renamed."""
    entries = [case.entry]
    while entries and entries[0]["class_name"] in ("TimeDistributed", "Sequential"):  # as much as what they hold
        config = entries[0]["config"]
        layers = config if isinstance(config, list) else config.get("layers") or [config["layer"]]
        entries = layers
        if entries[0]["class_name"] in SAME_IN_BOTH:
            return
    assert generation_of(case.entry) is case.generation


def test_version_first() -> None:
    """The version in a file or a config comes before all other signs."""
    config = {"class_name": "Dense", "config": {"output_dim": 3, "init": "zero"}}
    assert generation_of(config) is Generation.KERAS_1
    assert generation_of({**config, "keras_version": "2.1.6-tf"}) is Generation.KERAS_2
    assert generation_of({**config, "keras_version": "2.1.6-tf"}, "3.0.1") is Generation.KERAS_3
    assert generation_of(config, "12.1") is Generation.KERAS_1
    assert generation_of(config, "tip") is Generation.KERAS_1


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ([["in", 0, 0]], Generation.KERAS_1),
        ([["in", 0, 0, {}]], Generation.KERAS_2),
        ({"args": [], "kwargs": {}}, Generation.KERAS_3),
    ],
)
def test_by_calls(node: Any, expected: Generation) -> None:
    """The form of a call shows the generation where the arguments do not."""
    layer = {"class_name": "Activation", "config": {"activation": "relu"}, "name": "a", "inbound_nodes": [node]}
    assert generation_of({"class_name": "Model", "config": {"layers": [layer]}}) is expected


@pytest.mark.parametrize(("policy", "expected"), [("Policy", Generation.KERAS_2), ("DTypePolicy", Generation.KERAS_3)])
def test_by_policy(policy: str, expected: Generation) -> None:
    """The class of a dtype policy tells Keras 2.12 and later from Keras 3, both of which name modules."""
    config = {"activation": "relu", "dtype": {"class_name": policy, "config": {"name": "float32"}}}
    layer = {"module": "keras.layers", "class_name": "Activation", "config": config}
    before = {"module": "keras.layers", "class_name": "Activation", "config": {"activation": "relu"}}
    model = {"module": "keras", "class_name": "Sequential", "config": {"layers": [before, layer]}}
    assert generation_of(model) is expected
    assert generation_of({"class_name": "Sequential", "config": {"layers": [before, layer]}}) is expected


@pytest.mark.parametrize(
    "junk", [None, 3, "x", [], {}, {"name": []}, {"class_name": 3}, {"class_name": "Dense", "config": 3}]
)
def test_without_signs(junk: Any) -> None:
    """A value that is no config has a generation all the same."""
    assert generation_of(junk) in Generation
