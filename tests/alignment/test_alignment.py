"""The stored weight of each slot, against the weights of the live models that wrote the fixtures."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import ckpttool
from ckpttool.alignment.alignment import Alignment, Evidence, align
from ckpttool.alignment.architectures import load_architecture
from ckpttool.arrays.statistics import measure
from ckpttool.checkpoint import Checkpoint, Section
from ckpttool.errors import CheckpointError
from ckpttool.model import Architecture, read_architecture
from ckpttool.model.generations.generation import Generation
from tests.samples import FIXTURES, TRUE_FILES, live

OWN_CLASSES = {"keras3/odd.keras": {"odd"}}
# What the layout leaves out of the model.
LEFT_OUT = {"keras3/lora.keras": {"lora_kernel_a", "lora_kernel_b"}}
WEIGHTS_ONLY = {
    "keras0.3/cnn_weights.hdf5": "keras0.3/cnn.json",
    "keras0.3/lstm_weights.hdf5": "keras0.3/lstm.json",
    "keras0.3/mlp_weights.hdf5": "keras0.3/mlp.json",
    "keras1.2/cnn_weights.h5": "keras1.2/cnn.json",
    "keras2.15/mlp.weights.h5": "keras2.15/mlp.json",
}


def aligned(name: str, architecture: str | None = None) -> tuple[Checkpoint, Alignment]:
    """A fixture, closed, and its alignment with its own architecture or another's."""
    with ckpttool.open(FIXTURES / name) as checkpoint:
        loaded = load_architecture(FIXTURES / (architecture or name))
        return checkpoint, align(checkpoint, loaded)


def whole_models() -> list[str]:
    """The fixtures that have a config and can be opened."""
    places = []
    for name in TRUE_FILES:
        if "npz" not in name:
            with ckpttool.open(FIXTURES / name) as checkpoint:
                places += [name] if checkpoint.config is not None else []
    return places


MODELS = whole_models()


def test_there_are_fixtures() -> None:
    """Each generation has its whole models."""
    assert {name.split("/")[0] for name in MODELS} >= {"keras1.2", "keras2.2", "keras2.12", "keras2.15", "keras3"}


@pytest.mark.parametrize("name", MODELS)
def test_every_weight_has_its_slot(name: str) -> None:
    """All weights of built-in layers find their slots, each slot its weight, whatever generation wrote the file."""
    _, alignment = aligned(name)
    assert {weight.layer for weight in alignment.left} == OWN_CLASSES.get(name, set())
    assert {place.slot.name for place in alignment.missing} <= LEFT_OUT.get(name, set())
    assert alignment.aligned


@pytest.mark.parametrize("name", MODELS)
def test_slots_are_those_of_the_live_model(name: str) -> None:
    """The weight that is aligned with a slot was trained, and called so, in the live model as the slot says."""
    truth: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for weight in live(name)["weights"]:
        truth.setdefault((weight["sha256"], *weight["shape"]), []).append(weight)
    with ckpttool.open(FIXTURES / name) as checkpoint:
        for aligned in align(checkpoint, load_architecture(FIXTURES / name)).aligned:
            for stored in aligned.stored:
                key = (measure(stored.weight, sha256=True).sha256, *stored.weight.shape)
                assert aligned.place.slot.trainable in {weight["trainable"] for weight in truth[key]}
                called = {weight["name"].removesuffix(":0").rpartition("/")[2] for weight in truth[key]}
                expected = stored.slot.name if stored.slot else aligned.place.slot.name
                assert any(last == expected or last.endswith(f"_{expected}") for last in called), called


@pytest.mark.parametrize("name", sorted(WEIGHTS_ONLY))
def test_weights_alone(name: str) -> None:
    """Weights that lack a config are aligned with an architecture that is given."""
    checkpoint, alignment = aligned(name, WEIGHTS_ONLY[name])
    assert (alignment.left, alignment.missing) == ((), ())
    assert len(alignment.by_path()) == len(checkpoint.section(Section.MODEL))


@pytest.mark.parametrize(
    ("name", "evidence", "generation"),
    [
        ("keras3/mlp.keras", Evidence.PATH, None),
        ("keras2.12/mlp.keras", Evidence.PATH, None),
        ("keras3/mlp.h5", Evidence.NAME, Generation.KERAS_3),
        ("keras2.15/mlp.h5", Evidence.NAME, Generation.KERAS_2),
        ("keras1.2/mlp.h5", Evidence.NAME, Generation.KERAS_1),
    ],
)
def test_evidence(name: str, evidence: Evidence, generation: Generation | None) -> None:
    """An alignment states its evidence, and the generation of a legacy layout."""
    _, alignment = aligned(name)
    assert {aligned.evidence for aligned in alignment.aligned} == {evidence}
    assert alignment.generation is generation


def named(architecture: Architecture, names: list[str]) -> Architecture:
    """The same Sequential architecture with these names of layers, the input's apart."""
    config = architecture.config
    all_names = [layer["config"]["name"] for layer in config["config"]["layers"]]
    now = [*all_names[: len(all_names) - len(names)], *names]
    layers = [
        {**layer, "config": {**layer["config"], "name": name}}
        for layer, name in zip(config["config"]["layers"], now, strict=True)
    ]
    loaded = read_architecture({**config, "config": {**config["config"], "layers": layers}})
    assert loaded is not None
    return loaded


def test_layers_of_other_names_by_order() -> None:
    """Layers of which no stored name fits are paired by their order if they are as many, with that as the evidence."""
    with ckpttool.open(FIXTURES / "keras2.15/mlp.h5") as checkpoint:
        alignment = align(checkpoint, named(load_architecture(FIXTURES / "keras2.15/mlp.h5"), ["hidden_9", "output_9"]))
    assert [(aligned.place.layer, aligned.evidence) for aligned in alignment.aligned][::2] == [
        ("hidden_9", Evidence.ORDER),
        ("output_9", Evidence.ORDER),
    ]
    assert alignment.left == ()


def test_names_that_keras_numbered_anew() -> None:
    """A name that is that of another layer by chance pairs nothing: all layers go by their order."""
    with ckpttool.open(FIXTURES / "keras2.15/mlp.h5") as checkpoint:
        shifted = {"hidden": "dense_1", "output": "dense_2"}
        weights = {
            path: replace(weight, layer=shifted[weight.layer or ""])
            for path, weight in checkpoint.weights.items()
            if weight.layer
        }
        stored = replace(checkpoint, weights=weights, layer_names=list(shifted.values()))
        alignment = align(stored, named(load_architecture(FIXTURES / "keras2.15/mlp.h5"), ["dense", "dense_1"]))
    assert [(aligned.place.layer, aligned.stored[0].weight.layer) for aligned in alignment.aligned][::2] == [
        ("dense", "dense_1"),
        ("dense_1", "dense_2"),
    ]


@pytest.mark.parametrize("name", ["keras3/mlp.keras", "keras3/mlp.h5", "keras2.15/mlp.h5"])
def test_another_architecture(name: str) -> None:
    """Weights of another model are left over: nothing is aligned whose shape does not agree."""
    checkpoint, alignment = aligned(name, "keras3/cnn.keras")
    assert len(alignment.left) == len(checkpoint.section(Section.MODEL))
    assert alignment.aligned == ()
    assert alignment.missing


def test_a_version_that_lies() -> None:
    """The order of the weights tells the generation where the file names another one."""
    architecture = load_architecture(FIXTURES / "keras1.2/lstm.h5")
    with ckpttool.open(FIXTURES / "keras1.2/lstm.h5") as checkpoint:
        lying = replace(checkpoint, producer=replace(checkpoint.producer, keras_version="2.4.0"))
        alignment = align(lying, architecture)
    assert (alignment.generation, alignment.left) == (Generation.KERAS_1, ())


def test_names_tell_generations_apart() -> None:
    """Arrays of equal shapes in another order are not mistaken: their names are those of other slots."""
    architecture = load_architecture(FIXTURES / "keras2.15/mlp.h5")
    with ckpttool.open(FIXTURES / "keras2.15/mlp.h5") as checkpoint:
        weights = {
            path: replace(weight, name=(weight.name or "").replace("kernel", "gamma"))
            for path, weight in checkpoint.weights.items()
        }
        assert align(replace(checkpoint, weights=weights), architecture).aligned == ()


def test_an_architecture_of_junk() -> None:
    """An architecture that makes no sense is one error."""
    layers = [{"class_name": "Dense", "config": {"name": "a", "units": "many"}}]
    architecture = read_architecture({"class_name": "Sequential", "config": {"name": "m", "layers": layers}})
    assert architecture is not None
    with ckpttool.open(FIXTURES / "keras3/mlp.keras") as checkpoint, pytest.raises(CheckpointError, match="units"):
        align(checkpoint, architecture)


FROZEN_BEHIND = ("dense_3", "dense_1", "dense_2")


def frozen_within(path: Path, names: Sequence[str], top: str = "") -> Path:
    """A file of Keras 2.2.4 with Dense layers in a model in a model, in the order in which it stores them; `top` is a
    layer around all, as `multi_gpu_model` makes it."""
    layers = [dense_entry(f"dense_{at}") for at in (1, 2, 3, 4)]
    inner = {"class_name": "Sequential", "config": {"name": "inner", "layers": layers[:2]}}
    middle = {"class_name": "Sequential", "config": {"name": "middle", "layers": [inner, layers[2]]}}
    whole = {"class_name": "Sequential", "config": {"name": "whole", "layers": [middle, layers[3]]}}
    with h5py.File(path, "w") as file:
        file.attrs.update({"keras_version": "2.2.4", "backend": "tensorflow", "model_config": json.dumps(whole)})
        groups = {top: [*names, "dense_4"]} if top else {"middle": names, "dense_4": ["dense_4"]}
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [name.encode() for name in groups]
        for name, of in groups.items():
            own = group.create_group(name)
            own.attrs["weight_names"] = [f"{layer}/{kind}:0".encode() for layer in of for kind in ("kernel", "bias")]
            for layer in of:
                own[f"{layer}/kernel:0"] = np.full((3, 3), int(layer[-1]), "float32")
                own[f"{layer}/bias:0"] = np.full((3,), int(layer[-1]), "float32")
    return path


def dense_entry(name: str) -> dict[str, Any]:
    """A Dense layer of Keras 2."""
    config = {"name": name, "trainable": True, "units": 3, "batch_input_shape": [None, 3]}
    return {"class_name": "Dense", "config": config}


@pytest.mark.parametrize("top", ["", "whole"])
@pytest.mark.parametrize("names", [FROZEN_BEHIND, ("dense_1", "dense_2", "dense_3"), ("dense_7", "dense_5", "dense_6")])
def test_weights_behind_those_of_frozen_models(names: tuple[str, ...], top: str, tmp_path: Path) -> None:
    """Keras 2.2.4 stores the weights of a frozen model behind the others; their names tell, where these are all known,
    else they are in the order of the layers."""
    with ckpttool.open(frozen_within(tmp_path / "model.h5", names, top)) as checkpoint:
        slots = align(checkpoint, load_architecture(checkpoint.path)).aligned
        kernels = {
            slot.place.layer: int(np.asarray(slot.stored[0].weight).flat[0])
            for slot in slots
            if slot.place.slot.name == "kernel"
        }
    known = names != ("dense_7", "dense_5", "dense_6")
    expected = (1, 2, 3) if known else (7, 5, 6)
    assert [kernels[f"middle/{layer}"] for layer in ("inner/dense_1", "inner/dense_2", "dense_3")] == list(expected)
