"""The architecture of a live model as text, for its way from one process to another."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ckpttool.model.config import Architecture, with_part
from ckpttool.model.slots import Part, Slot


def to_json(architecture: Architecture) -> str:
    """The architecture of a live model as text, for another process."""
    assert architecture.part is not None
    value = {"config": architecture.config, "part": asdict(architecture.part), "unwritten": architecture.unwritten}
    return json.dumps(value)


def from_json(value: Mapping[str, Any]) -> Architecture:
    """The architecture that `to_json` wrote."""
    return with_part(value["config"], _part(value["part"]), value["unwritten"])


def _part(value: Mapping[str, Any]) -> Part:
    fields = {
        "slots": tuple(_slot(slot) for slot in value["slots"]),
        "children": tuple((at, _part(child)) for at, child in value["children"]),
        "write_order": tuple(value["write_order"]),
        "aliases": tuple(value["aliases"]),
        "attributes": tuple(map(tuple, value["attributes"])),
    }
    return Part(**{**value, **fields})


def _slot(value: Mapping[str, Any]) -> Slot:
    return Slot(**{**value, "shape": None if value["shape"] is None else tuple(value["shape"])})
