"""The contract of a renderer: what holds for any output of any listing."""

import unicodedata
from pathlib import Path
from typing import Any

from ckpttool.checkpoint import Checkpoint, Producer, Refusal, Section, Weight
from ckpttool.inspection.directories import Summary
from ckpttool.inspection.info import Info, describe
from ckpttool.inspection.listing import Choice, Listing, list_checkpoint
from ckpttool.render import Style

HOSTILE = [
    "\x1b]0;title\x07\x1b[2J",
    "\r\n# heading\n",
    "a|b|c",
    "=cmd|' /C calc'!A0",
    "+1", "-1", "@sum",
    '"quoted", with; commas',
    "\u202ereversed\u2066",
    "zero\u200bwidth\ufeff",
    "\udcff\ud800",
    "</td><script>alert(1)</script>",
    "`code` *bold* [link](http://example.org) ~x~ \\",
    "x" * 5000,
    "/" * 5000,
    "\0layer",
    "a/\0layer/b",
    "",
    " ",
]  # fmt: skip
STYLES = [Style(), Style(layers=True), Style(tree=True), Style(layers=True, depth=1), Style(tree=True, depth=2)]


def hostile_checkpoint() -> Checkpoint:
    """A checkpoint in which every text that a stranger can choose is a hostile one."""
    weights = {}
    for number, text in enumerate(HOSTILE):
        for section in Section:
            path = f"{text}/{section.value}/vars/{number}"
            weights[path] = Weight(path, (2, number), text or "float32", 8 * number, section, text, text, text or None)
    layers = [{"class_name": text, "config": {"name": text, "batch_shape": [None, 3]}} for text in HOSTILE]
    compiled: dict[str, Any] = {
        "optimizer": {"class_name": HOSTILE[0]},
        "loss": HOSTILE,
        "metrics": {HOSTILE[1]: HOSTILE},
    }
    return Checkpoint(
        path=Path(HOSTILE[0]) / HOSTILE[8],
        kind="weights-h5",
        size=1,
        weights=weights,
        producer=Producer(HOSTILE[0], HOSTILE[1], HOSTILE[8]),
        config={"class_name": HOSTILE[0], "config": {"name": HOSTILE[1], "layers": layers}},
        training_config=compiled,
        layer_names=tuple(HOSTILE),
        refusals=tuple(Refusal(text, text, text) for text in HOSTILE),
        notes=tuple(HOSTILE),
        files=tuple(HOSTILE),
    )


def hostile_listing(**choice: Any) -> Listing:
    """The listing of the hostile checkpoint."""
    return list_checkpoint(hostile_checkpoint(), Choice(**choice))


def hostile_info() -> Info:
    """The description of the hostile checkpoint."""
    return describe(hostile_checkpoint())


def hostile_summaries() -> list[Summary]:
    """A hostile listing and hostile errors."""
    return [Summary(Path(HOSTILE[0]), hostile_listing()), *(Summary(Path(text), None, text) for text in HOSTILE)]


def unsafe(text: str) -> set[str]:
    """The characters of an output that could act on a terminal; lines may end."""
    kinds = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    return {char for char in text if unicodedata.category(char) in kinds} - {"\n"}
