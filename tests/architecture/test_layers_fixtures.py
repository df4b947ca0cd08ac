"""The table of layers against the committed files of Keras 3, without Keras: every weight has its slot and place."""

from typing import Any

import pytest

import ckpttool
from ckpttool import Section
from ckpttool.architecture.args import Args
from ckpttool.architecture.slots import Part, in_legacy_order, in_path_layout, in_weights_order
from ckpttool.architecture.table import part_of
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


def whole(name: str) -> tuple[ckpttool.Checkpoint, Part]:
    """A fixture and what the table makes of its config."""
    checkpoint = ckpttool.open(FIXTURES / name)
    args = Args.of(checkpoint.config)
    return checkpoint, part_of(args.class_name, args)


def unknown(part: Part) -> list[Part]:
    """The objects of unknown classes in a part."""
    return [part] if not part.known else [found for _, child in part.children for found in unknown(child)]


def test_there_are_files() -> None:
    """The fixtures of Keras 3 are there: plain, nested, wrapped, quantized, with LoRA and with lookups."""
    words = ("mlp", "nested", "wrappers", "int8", "int4", "lora", "lookup", "mixed", "seeds")
    assert all(any(word in name for name in FILES) for word in words)


@pytest.mark.parametrize("name", FILES)
def test_paths(name: str) -> None:
    """What the table expects in a file is what it holds, with the same shapes and dtypes, and nothing else."""
    checkpoint, part = whole(name)
    own = {found.name for found in unknown(part)}
    found = {path: (slot.shape, slot.written_dtype) for path, _, slot in in_path_layout(part)}
    stored = {
        weight.path: (weight.shape, str(weight.dtype))
        for weight in checkpoint.section(Section.MODEL)
        if not own or weight.layer not in own
    }
    assert found == stored


@pytest.mark.parametrize("name", FILES)
def test_weights(name: str) -> None:
    """The weights of the live model are those of the table, in its order."""
    _, part = whole(name)
    assert {found.class_name for found in unknown(part)} == OWN_CLASSES.get(name, set())
    own = {found.name for found in unknown(part)}
    found = [described("/".join(chain[1:]), slot) for chain, slot in in_weights_order(part)]
    truth = [weight for weight in live(name)["weights"] if weight["layer"] not in own]
    assert found == [told(weight) for weight in truth]


@pytest.mark.parametrize("name", LEGACY_FILES)
def test_legacy_order(name: str) -> None:
    """A whole legacy model holds the weights of each layer in the order of the table, under names that end in those of
    the weight and of its owner; what comes before depends on who built the owner."""
    checkpoint, part = whole(name)
    found = {
        layer.name: [(chain[-1], slot.name) for chain, slot in in_legacy_order(layer)] for _, layer in part.children
    }
    stored: dict[str, list[tuple[str, ...]]] = {layer: [] for layer in found}
    for weight in checkpoint.section(Section.MODEL):
        stored[weight.layer or ""].append(tuple((weight.name or "").split("/")[-2:]))
    assert found == stored


def described(layer: str, slot: Any) -> tuple[Any, ...]:
    """A slot in the words of TRUTH.json."""
    return layer, slot.name, slot.shape, slot.dtype, slot.trainable, slot.stored


def told(weight: dict[str, Any]) -> tuple[Any, ...]:
    """A weight of TRUTH.json."""
    name = weight["name"].rpartition("/")[2]
    shape = tuple(weight["shape"])
    return weight["layer"], name, shape, weight["dtype"], weight["trainable"], weight.get("stored", True)
