"""The table of layers against the committed files of Keras 1 to 3, without Keras: every weight has its slot and place.

Layers of older Keras stand in the table by what they are today (`architecture.dialects`).
"""

import re
from collections.abc import Mapping
from typing import Any

import pytest

import ckpttool
from ckpttool import Section
from ckpttool.model.arguments import Args
from ckpttool.model.generations.generation import Generation, generation_of
from ckpttool.model.generations.normalization import normalized
from ckpttool.model.generations.stored_order import StoredSlot, stored_order
from ckpttool.model.parts import part_of
from ckpttool.model.slots import Part, in_path_layout, in_weights_order
from tests.model.legacy_order import in_legacy_order
from tests.samples import FIXTURES, TRUE_FILES, live

# Files whose model has layers that are no part of Keras; all else in them is known.
OWN_CLASSES = {"keras3/odd.keras": {"Odd"}}
# Files that hold pickles, which are never opened.
NOT_OPENED = {"keras3/npz.keras"}
FILES = [
    name
    for name in TRUE_FILES
    if name.startswith("keras3") and name.endswith((".keras", "_dir")) and name not in NOT_OPENED
]

LEGACY_FILES = [
    name
    for name in TRUE_FILES
    if name.startswith("keras3/") and name.endswith(".h5") and ".weights" not in name and "_dir" not in name
]


OLD_VERSIONS = ("keras1.2", "keras2.2", "keras2.12", "keras2.13", "keras2.15")
OLD_NOT_OPENED = {"keras2.15/npz.keras"}  # its weights are pickles
OLD_PATHS = [
    name
    for name in TRUE_FILES
    if name.startswith(("keras2.12", "keras2.13", "keras2.15"))
    and name.endswith(".keras")
    and name not in OLD_NOT_OPENED | {"keras2.12/h5_named.keras"}
]
OLD_LEGACY = [
    name
    for name in TRUE_FILES
    if name.startswith(OLD_VERSIONS)
    and ((name.endswith(".h5") and "weights" not in name) or name == "keras2.12/h5_named.keras")
]


def whole(name: str) -> tuple[ckpttool.Checkpoint, Part]:
    """A fixture and what the table makes of its config."""
    checkpoint = ckpttool.open(FIXTURES / name)
    args = Args.of(checkpoint.config)
    return checkpoint, part_of(args.class_name, args)


def unknown(part: Part) -> list[Part]:
    """The objects of unknown classes in a part."""
    return [part] if not part.known else [inner for _, child in part.children for inner in unknown(child)]


def test_there_are_files() -> None:
    """The fixtures of Keras 3 are there: plain, nested, wrapped, quantized, with LoRA and with lookups."""
    phrases = ("mlp", "nested", "wrappers", "int8", "int4", "lora", "lookup", "mixed", "seeds")
    assert all(any(word in name for name in FILES) for word in phrases)


@pytest.mark.parametrize("name", FILES)
def test_paths(name: str) -> None:
    """The arrays that the table expects in a file are there, with the same shapes and dtypes, and no others."""
    checkpoint, part = whole(name)
    own = {inner.name for inner in unknown(part)}
    slots = {path: (slot.shape, slot.written_dtype) for path, _, slot in in_path_layout(part)}
    stored = {
        weight.path: (weight.shape, str(weight.dtype))
        for weight in checkpoint.section(Section.MODEL)
        if not own or weight.layer not in own
    }
    assert slots == stored


@pytest.mark.parametrize("name", FILES)
def test_weights(name: str) -> None:
    """The weights of the live model are those of the table, in its order."""
    _, part = whole(name)
    assert {inner.class_name for inner in unknown(part)} == OWN_CLASSES.get(name, set())
    own = {inner.name for inner in unknown(part)}
    rows = [described("/".join(chain[1:]), slot) for chain, slot in in_weights_order(part)]
    truth = [weight for weight in live(name)["weights"] if weight["layer"] not in own]
    assert rows == [weight_row(weight) for weight in truth]


@pytest.mark.parametrize("name", LEGACY_FILES)
def test_legacy_order(name: str) -> None:
    """A whole legacy model holds the weights of each layer in the order of the table, under names that end in those of
    the weight and of its owner; what comes before depends on who built the owner."""
    checkpoint, part = whole(name)
    slots = {
        layer.name: [(chain[-1], slot.name) for chain, slot in in_legacy_order(layer)] for _, layer in part.children
    }
    stored: dict[str, list[tuple[str, ...]]] = {layer: [] for layer in slots}
    for weight in checkpoint.section(Section.MODEL):
        stored[weight.layer or ""].append(tuple((weight.name or "").split("/")[-2:]))
    assert slots == stored


def described(layer: str, slot: Any) -> tuple[Any, ...]:
    """A slot in the words of TRUTH.json."""
    return layer, slot.name, slot.shape, slot.dtype, slot.trainable, slot.stored


def weight_row(weight: dict[str, Any]) -> tuple[Any, ...]:
    """A weight of TRUTH.json."""
    name = weight["name"].rpartition("/")[2]
    shape = tuple(weight["shape"])
    return weight["layer"], name, shape, weight["dtype"], weight["trainable"], weight.get("stored", True)


def of_old(name: str) -> tuple[ckpttool.Checkpoint, Mapping[str, Any], Generation]:
    """A fixture of older Keras, and the Keras 3 entry that its config stands for."""
    checkpoint = ckpttool.open(FIXTURES / name)
    generation = generation_of(checkpoint.config)
    return checkpoint, normalized(checkpoint.config, generation), generation


def test_there_are_old_files() -> None:
    """There are whole models of each version of older Keras."""
    assert {name.partition("/")[0] for name in (*OLD_PATHS, *OLD_LEGACY)} == set(OLD_VERSIONS)


@pytest.mark.parametrize("name", OLD_LEGACY)
def test_old_legacy_order(name: str) -> None:
    """A whole model of older Keras holds of each layer the arrays that are expected, in their order and shapes."""
    checkpoint, entry, generation = of_old(name)
    args = Args.of(entry)
    part = part_of(args.class_name, args)
    assert not unknown(part)
    entries = entry["config"]["layers"]
    slots = {
        layer.name: stored_order(layer, generation, inner)
        for (_, layer), inner in zip(part.children, entries, strict=True)
    }
    stored: dict[str, list[Any]] = {layer: [] for layer in slots}
    for weight in checkpoint.section(Section.MODEL):
        stored[weight.layer or ""].append(weight)
    for layer, weights in stored.items():
        assert [slot.name for slot in slots[layer]] == [last_piece(weight.name) for weight in weights]
        assert all(slot.form_of(weight.shape) for slot, weight in zip(slots[layer], weights, strict=True))


def last_piece(name: str | None) -> str:
    """The end of a stored name, without the number of TensorFlow's output."""
    return (name or "").rpartition("/")[2].removesuffix(":0")


@pytest.mark.parametrize("name", OLD_LEGACY)
def test_old_trainable(name: str) -> None:
    """The trainable weights of a whole model of older Keras are those that the live model trained."""
    _, entry, generation = of_old(name)
    args = Args.of(entry)
    part = part_of(args.class_name, args)
    pairs = zip(part.children, entry["config"]["layers"], strict=True)
    slots: list[StoredSlot] = [slot for (_, layer), inner in pairs for slot in stored_order(layer, generation, inner)]
    truth = [weight["trainable"] for weight in live(name)["weights"]]
    assert sorted(slot.trainable for slot in slots) == sorted(truth)


@pytest.mark.parametrize("name", OLD_PATHS)
def test_old_paths(name: str) -> None:
    """A `.keras` of Keras 2 holds what is expected, under the paths of today but for the words of its time."""
    checkpoint, entry, _ = of_old(name)
    args = Args.of(entry)
    slots = {path: slot for path, _, slot in in_path_layout(part_of(args.class_name, args))}
    stored = {of_keras_3(weight.path): weight for weight in checkpoint.section(Section.MODEL)}
    assert {path.replace("/_", "/") for path in slots} == set(stored)
    for path, slot in slots.items():
        shape = stored[path.replace("/_", "/")].shape
        assert slot.shape is None or all(size in (None, real) for size, real in zip(slot.shape, shape, strict=True))


def of_keras_3(path: str) -> str:
    """A path in a `.keras` of Keras 2 as Keras 3 would have it.

    Keras 2.12 and 2.13 list each layer with weights twice, so that the second of a class has number 2, not 1; what
    MultiHeadAttention holds began with an underscore.
    """
    path = path.replace("\\", "/")
    if "_layer_checkpoint_dependencies" in path:
        path = re.sub(r"(_layer_checkpoint_dependencies/[a-z_]+)_2/", r"\1_1/", path)
    return path.replace("_layer_checkpoint_dependencies", "layers").replace("/_", "/")
