"""Layers and models of old Keras against what Keras 3 writes for the same ones: nothing but the version changed."""

import copy
import importlib.util
import json
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import ckpttool
from ckpttool.checkpoint import Checkpoint, Producer
from ckpttool.comparison.change import VERSION, ConfigChange
from ckpttool.comparison.configs import config_changes, layer_pairs
from ckpttool.comparison.objects import OLD_HARD_SIGMOID
from ckpttool.errors import CheckpointError
from ckpttool.model import read_architecture
from ckpttool.model.generations.generation import Generation, generation_of
from ckpttool.model.generations.normalization import normalized
from tests.comparison.configured import Configs, both_ways
from tests.corpus import CORPUS, needs_corpus
from tests.live import keras as live_keras
from tests.model.generations.cases import ALL, Case
from tests.model.generations.test_live import called, can_be_built, lost
from tests.samples import FIXTURES

keras: Any = live_keras()

NEW = Producer("3.15.1")
RECORDED: dict[str, Any] = json.loads((FIXTURES / "dialects" / "models_keras2.15.json").read_text())


def saved(model: Any) -> Any:
    """The config that Keras 3 writes of a layer or model."""
    return json.loads(json.dumps(keras.saving.serialize_keras_object(model)))


def real(changes: tuple[ConfigChange, ...]) -> list[ConfigChange]:
    """The changes but the version, and but the one activation that is another function today."""
    return [
        change
        for change in changes
        if change.kind != VERSION and (change.old, change.new) != (OLD_HARD_SIGMOID, "hard_sigmoid")
    ]


def around(entry: Any, key: str) -> Any:
    """A model that has this one layer behind its input, or the layer itself where it is a model."""
    if entry["class_name"] in ("Sequential", "Functional", "Model"):
        return entry
    first = {"class_name": "InputLayer", "config": {"name": "x", key: [None, 1]}}
    layers = [entry] if entry["class_name"] == "Dot" else [first, entry]  # behind one layer, only an own Dot can stand
    return {"class_name": "Sequential", "config": {"name": "m", "layers": layers}}


@pytest.mark.parametrize("case", [case for case in ALL if can_be_built(case)], ids=str)
def test_layers(case: Case) -> None:
    """A layer of old Keras is the one that Keras 3 makes of it."""
    entry = normalized(case.entry, case.generation)
    if lost(entry):
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        layer = keras.layers.deserialize(copy.deepcopy(entry))
        called(layer, case)
    old = Configs(around(case.entry, "batch_input_shape"), None, Producer(case.version.removeprefix("keras")))
    differences = both_ways(old, Configs(around(saved(layer), "batch_shape"), None, NEW))
    assert real(differences) == []
    assert ("hard_sigmoid" in str(case.entry)) == any(difference.old == OLD_HARD_SIGMOID for difference in differences)


def old_models(folder: Path, pattern: str) -> list[str]:
    """The files in a folder that hold a whole model of old Keras."""
    return [path.relative_to(folder).as_posix() for path in sorted(folder.glob(pattern)) if is_old_model(path)]


def is_old_model(path: Path) -> bool:
    """Whether a file holds a whole model of Keras before 3."""
    try:
        with ckpttool.open(path) as checkpoint:
            return checkpoint.config is not None and generation(checkpoint) is not Generation.KERAS_3
    except CheckpointError:
        return False


def generation(checkpoint: Checkpoint) -> Generation:
    """The generation of Keras that wrote a whole model."""
    return generation_of(checkpoint.config, checkpoint.producer.keras_version)


def built_anew(checkpoint: Checkpoint) -> Any:
    """The config that Keras 3 writes of a model of old Keras, None where it cannot make it of its layers as they are
    called."""
    architecture = read_architecture(checkpoint.config)
    assert architecture is not None
    entry = json.loads(json.dumps(normalized(architecture.config, generation(checkpoint))))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            beside = ("build_config", "compile_config")
            return saved(keras.saving.deserialize_keras_object({k: v for k, v in entry.items() if k not in beside}))
        except Exception:
            return None


def tried(path: Path) -> list[ConfigChange] | None:
    """The changes between a file of old Keras and the one that Keras 3 makes of it, None where it makes none."""
    with ckpttool.open(path) as checkpoint:
        new = built_anew(checkpoint)
        if new is None:
            return None
        side = Configs(checkpoint.config, None, checkpoint.producer)
        return real(both_ways(side, Configs(new, None, NEW)))


def test_fixtures() -> None:
    """Whole models of Keras 1 and 2 are those that Keras 3 makes of their configs."""
    results = {name: tried(FIXTURES / name) for name in old_models(FIXTURES, "keras[12]*/*")}
    assert [name for name, changes in results.items() if changes] == []
    assert sum(changes == [] for changes in results.values()) >= 10


@needs_corpus
def test_corpus() -> None:
    """So are real ones."""
    results = {name: tried(CORPUS / "files" / name) for name in old_models(CORPUS / "files", "*")}
    assert [name for name, changes in results.items() if changes] == []
    assert sum(changes == [] for changes in results.values()) >= 20


def recipe() -> ModuleType:
    """The recipe of the recorded models."""
    spec = importlib.util.spec_from_file_location("dialects_models", FIXTURES / "recipes" / "dialects_models.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Configs]]:
    """The configs that Keras 3 writes of the recorded models, by name and kind of file."""
    by_name: dict[str, dict[str, Configs]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for make in recipe().MODELS:
            keras.utils.clear_session(free_memory=False)
            folder = tmp_path_factory.mktemp(make.__name__)
            model = make(keras)
            paths = {"keras": folder / "m.keras", "h5": folder / "m.h5"}  # behind .h5 Keras 3.15 forgets the optimizer
            for path in paths.values():
                model.save(path)
            by_name[make.__name__] = {kind: opened(path) for kind, path in paths.items()}
            by_name[make.__name__]["json"] = Configs(
                json.loads(model.to_json()), by_name[make.__name__]["h5"].training_config
            )
    return by_name


def opened(path: Path) -> Configs:
    """The configs in a file."""
    with ckpttool.open(path) as checkpoint:
        return Configs(checkpoint.config, checkpoint.training_config, checkpoint.producer)


def recorded(name: str, kind: str) -> Configs:
    """The config that Keras 2.15 wrote of a model."""
    return Configs(*RECORDED[name][kind], Producer("2.15.0"))


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_models(name: str, built: dict[str, dict[str, Configs]]) -> None:
    """A model that Keras 2.15 and Keras 3 make by the same calls is the same in all their files, compile settings and
    all: masks, states, shared models, metrics for each output, names that Keras gave."""
    for kind in ("keras", "h5"):
        for other in ("keras", "h5"):
            differences = both_ways(recorded(name, kind), built[name][other])
            assert real(differences) == [], (kind, other)
            assert [one.key for one in differences] == ["keras_version"]
    assert both_ways(recorded(name, "keras"), recorded(name, "h5")) == ()


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_files_of_keras_3(name: str, built: dict[str, dict[str, Configs]]) -> None:
    """A model that Keras 3 saves as `.keras`, as legacy `.h5` and as JSON is the same."""
    for one in built[name].values():
        for other in built[name].values():
            assert both_ways(one, other) == ()


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_pairs(name: str, built: dict[str, dict[str, Configs]]) -> None:
    """Every layer of Keras 2.15 is found in Keras 3's model, and the layers of both have all their weights paired."""
    pairs = layer_pairs(recorded(name, "h5"), built[name]["keras"])
    layers = read_architecture(recorded(name, "h5").config)
    assert layers is not None
    assert {layer.path for layer in layers.layers} <= set(pairs)
    assert all(old.rpartition("_")[0] in new or new == old for old, new in pairs.items() if "input" not in old)


def test_nothing_is_lost(built: dict[str, dict[str, Configs]]) -> None:
    """Of two different models much changed: the comparisons above do look."""
    for name, other in (("masked", "attention"), ("shared", "held"), ("chain", "many")):
        assert len(config_changes(built[name]["keras"], recorded(other, "h5"))) > 8
