"""Changes of the files beside the weights."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import ckpttool
from ckpttool.cli import main
from ckpttool.comparison import AssetChange
from ckpttool.formats.write.archive import Model, write_directory
from ckpttool.formats.write.path_layout import Content

TEXT = "layers/text_vectorization/vocabulary.txt"
COPY = "layers/text_vectorization/_lookup_layer/vocabulary.txt"


def model(folder: Path, **assets: bytes) -> Path:
    """An unzipped `.keras` of a TextVectorization and a StringLookup with these assets."""
    layers = [
        {"class_name": name, "config": {"name": name.lower()}, "module": "keras.layers"}
        for name in ("TextVectorization", "StringLookup")
    ]
    config: dict[str, Any] = {"class_name": "Sequential", "config": {"name": "m", "layers": layers}, "module": "keras"}
    folder.mkdir()
    names = {"text": TEXT, "copy": COPY, "look": "layers/string_lookup/vocabulary.txt"}
    members = {names.get(name, f"layers/string_lookup/{name}.bin"): raw for name, raw in assets.items()}
    write_directory(folder, Model(config, {}, Content({}, {}), members))
    return folder


CASES = [
    ({"text": b"a\nb"}, {"text": b"a\nb"}, []),
    ({"text": b"a\nb"}, {"text": b"a\nc\nd"}, [AssetChange("textvectorization", TEXT, TEXT, 1, 2)]),
    ({"text": b"a\nb"}, {"text": b"b\na"}, [AssetChange("textvectorization", TEXT, TEXT, 0, 0)]),
    ({"text": b"a", "copy": b"a"}, {}, [AssetChange("textvectorization", TEXT, "")]),
    (
        {"text": b"a", "copy": b"a"},
        {"text": b"b", "copy": b"b"},
        [AssetChange("textvectorization", TEXT, TEXT, 1, 1)],
    ),
    ({"own": b"1"}, {"own": b"2"}, [AssetChange("stringlookup", *["layers/string_lookup/own.bin"] * 2)]),
    ({"own": b"1"}, {"other": b"1"}, []),
]


@pytest.mark.parametrize(("one", "other", "changes"), CASES)
def test_changes(one: dict[str, bytes], other: dict[str, bytes], changes: list[AssetChange], tmp_path: Path) -> None:
    """Entries are counted; a copy within a layer is not told twice; what only moved is no change."""
    a, b = model(tmp_path / "a", **one), model(tmp_path / "b", **other)
    result, back = ckpttool.diff(a, b), ckpttool.diff(b, a)
    assert list(result.assets) == changes
    assert list(back.assets) == [change.inverted() for change in changes]
    assert ("assets" in result.differences) is bool(changes)


def test_output(tmp_path: Path) -> None:
    """Text and JSON tell what changed, the exit code is 1, and `--fail-on` may leave it out."""
    a, b = model(tmp_path / "a", look=b"x\ny"), model(tmp_path / "b", look=b"x")
    text = CliRunner().invoke(main, ["diff", str(a), str(b)])
    assert text.exit_code == 1
    assert "vocabulary changed: 1 removed" in text.output and "1 asset changed" in text.output
    value = json.loads(CliRunner().invoke(main, ["diff", str(a), str(b), "--output", "json"]).stdout)
    assert value["assets"][0]["removed"] == 1 and value["differences"] == ["assets"]
    assert CliRunner().invoke(main, ["diff", str(a), str(b), "--fail-on", "values"]).exit_code == 0


def test_other_commands(tmp_path: Path) -> None:
    """`ls`, `info` and `textconv` show the files; `verify` and `check` miss one that is not there."""
    whole, empty = model(tmp_path / "a", text=b"x\ny", copy=b"x\ny", look=b"z"), model(tmp_path / "b", look=b"z")

    def run(*args: object) -> str:
        return CliRunner().invoke(main, list(map(str, args))).output

    assert "3 files" in run("ls", whole)
    assert "textvectorization: 2 entries" in run("info", whole) and "not in the file" in run("info", empty)
    assert run("textconv", whole).count("asset layers/") == 3
    assert "textvectorization: its vocabulary is not in the file" in run("verify", empty, empty)
    assert "its vocabulary" not in run("verify", whole, whole)
    codes = [
        {finding.rule.code for report in ckpttool.check(path).files for finding in report.findings}
        for path in (whole, empty)
    ]
    assert ["I114" in codes_of_side for codes_of_side in codes] == [False, True]
