"""The evidence of stored names, of layers that hold others."""

import pytest

from ckpttool.checkpoint import Section, Weight
from ckpttool.model.spec import SpecSlot
from ckpttool.verification.evidence import swapped_layers


def _pair(ours: str, theirs: str) -> tuple[SpecSlot, Weight]:
    """A slot of one layer, and a weight that a file has in a layer of another name."""
    slot = SpecSlot(ours, "kernel", (2,), "float32", True, "", ours, 0)
    return slot, Weight(f"{theirs}/kernel", (2,), "float32", 8, Section.MODEL, layer=theirs)


@pytest.mark.parametrize(
    ("theirs", "swapped"), [("block/sequential/dense", {}), ("blocks", {"block": "blocks"}), ("block", {})]
)
def test_a_layer_inside_another_is_none_in_its_place(theirs: str, swapped: dict[str, str]) -> None:
    """A weight of a layer that lies in the one which gets it is in its place, one of another layer is not."""
    pairs = [_pair("block", theirs)]
    assert swapped_layers(pairs, lambda slot: slot.group, lambda weight: weight.layer, {"block", theirs}) == swapped
