"""The architecture of a live model comes out of its text as it went in."""

import json
from dataclasses import replace

import pytest

from ckpttool.alignment.architectures import load_architecture
from ckpttool.model.config import with_part
from ckpttool.model.live.serialization import from_json, to_json
from ckpttool.model.spec import part_in, spec_of
from tests.samples import FIXTURES


@pytest.mark.parametrize("name", ["keras3/nested.keras", "keras3/cnn.keras", "keras2.15/mlp.h5"])
def test_round_trip(name: str) -> None:
    """The same config, the same objects with the same slots, the same expected weights."""
    architecture = load_architecture(FIXTURES / name)
    live = with_part(architecture.config, part_in(architecture), "a reason")
    copied = from_json(json.loads(to_json(live)))
    assert copied.part == live.part
    assert copied.config == live.config
    assert copied.unwritten == "a reason"
    assert spec_of(copied).slots == spec_of(live).slots
    assert replace(copied, layers=()) == replace(live, layers=())
