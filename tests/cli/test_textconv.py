"""`ckpttool textconv`: text that is the same for the same content."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.loops import for_each
from tests.samples import FIXTURES, TRUE_FILES, of_each_kind


@for_each(of_each_kind(name for name in TRUE_FILES if "npz" not in name))
def test_one_line_a_weight(name: str, run: Callable[..., Any]) -> None:
    """Every weight of the model has its line, in order of names, with shape and checksum."""
    outcome = run("textconv", FIXTURES / name)
    assert (outcome.code, outcome.err) == (0, "")
    listed = json.loads(run("ls", FIXTURES / name, "--sha256", "-o", "json").out)["weights"]
    lines = [line for line in outcome.out.splitlines() if line.startswith("weight ")]
    assert len(lines) == len(listed)
    assert sorted(lines, key=lambda line: line.split(":")[0]) == lines or len({*lines}) == len(lines)
    for weight in listed:
        assert any(f"sha256:{weight['sha256'][:12]}" in line for line in lines)


def test_paths_are_not_in_it(tmp_path: Path, run: Callable[..., Any]) -> None:
    """The same content under another name, and at another time, is the same text."""
    copy = tmp_path / "copy.keras"
    copy.write_bytes((FIXTURES / "keras3/cnn.keras").read_bytes())
    assert run("textconv", copy).out == run("textconv", FIXTURES / "keras3/cnn.keras").out


def test_formats_agree_on_weights(run: Callable[..., Any]) -> None:
    """Two formats of one model have the same checksums, and tell the same layers."""
    one, other = (run("textconv", FIXTURES / f"keras3/mlp.{suffix}").out.splitlines() for suffix in ("keras", "h5"))
    assert [line for line in one if line.startswith("layer")] == [line for line in other if line.startswith("layer")]
    digests = [{word for line in lines for word in line.split() if "sha256" in word} for lines in (one, other)]
    assert len(digests[0] & digests[1]) >= 4


def test_layers_are_in_it(run: Callable[..., Any]) -> None:
    """A layer's class and what it does not have by default are told."""
    out = run("textconv", FIXTURES / "keras3/cnn.keras").out
    assert 'layer stem: Conv2D {"filters": 4' in out
    assert '"trainable": false' in out


def test_what_cannot_be_opened(run: Callable[..., Any]) -> None:
    """A file that is no checkpoint is one message and exit code 2."""
    outcome = run("textconv", FIXTURES / "INDEX.json")
    assert (outcome.code, outcome.out) == (2, "")
