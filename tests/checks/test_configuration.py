"""Policies from TOML: every field is a key, and all mistakes are told at once."""

import re
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from ckpttool.checks.configuration import nearest_configuration, read_policy
from ckpttool.checks.policy import PathIgnore, Policy
from ckpttool.checks.rule import Severity
from ckpttool.errors import ConfigurationError

SAMPLES: dict[Any, tuple[str, Any]] = {
    str: ('"some text"', "some text"),
    int: ("7", 7),
    float: ("0.5", 0.5),
    bool: ("true", True),
    Severity | None: ('"warning"', Severity.WARNING),
    tuple[str, ...]: ('["a", "b"]', ("a", "b")),
}
WRONG: dict[Any, tuple[str, ...]] = {
    str: ("7", "true", '["a"]', "{}"),
    int: ('"7"', "0.5", "true", "[7]"),
    float: ('"0.5"', "true", "nan", "{}"),
    bool: ("1", '"true"', "[]"),
    Severity | None: ('"never"', '"ERROR"', "3", "[]"),
    tuple[str, ...]: ('"S"', "{}", "[1]", '["S", ["S"]]'),
}


def keys(kind: Any = Policy, table: str = "") -> list[tuple[str, str, Any, str]]:
    """Table, key, type and meaning of every plain field of a policy."""
    listed, types = [], get_type_hints(kind)
    for field in fields(kind):
        key = field.name.replace("_", "-")
        if is_dataclass(types[field.name]):
            listed += keys(types[field.name], f"{table}.{key}")
        elif field.name != "per_path_ignores":
            listed.append((table, key, types[field.name], field.metadata.get("meaning", "")))
    return listed


KEYS = keys()


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """Writes a configuration: the name, the text within its table, and where the table is."""

    def write(text: str, name: str = "ckpttool.toml") -> Path:
        path = tmp_path / name
        prefix = "tool.ckpttool.check" if name == "pyproject.toml" else "check"
        path.write_text(f"[{prefix}]\n{text.replace('[.', f'[{prefix}.')}\n", encoding="utf-8")
        return path

    return write


def value_at(policy: Policy, table: str, key: str) -> Any:
    """The value of a policy under a key."""
    value: Any = policy
    for name in (*filter(None, table.split(".")), key):
        value = getattr(value, name.replace("-", "_"))
    return value


def line(table: str, key: str, value: str) -> str:
    """A key with a value, in its table."""
    return f"[{table}]\n{key} = {value}" if table else f"{key} = {value}"


@pytest.mark.parametrize(("table", "key", "kind", "meaning"), KEYS, ids=lambda part: str(part))
@pytest.mark.parametrize("name", ["ckpttool.toml", "pyproject.toml"])
def test_every_field_is_a_key(
    name: str, table: str, key: str, kind: Any, meaning: str, written: Callable[..., Path]
) -> None:
    """A value in the file arrives in the field, of the right type."""
    text, value = SAMPLES[kind] if meaning != "codes" else ('["S", "I101", "ALL"]', ("S", "I101", "ALL"))
    path = written(line(table, key, text), name)
    expected = str(path.parent / value) if meaning == "path" else value
    field = value_at(read_policy(path), table, key)
    assert (field, type(field)) == (expected, type(expected))


def test_every_key_is_documented() -> None:
    """The guide names each key, and the configuration that it shows is read."""
    page = (Path(__file__).parents[2] / "docs" / "checking.md").read_text(encoding="utf-8")
    assert [key for _, key, _, _ in KEYS if not re.search(rf"`{key}`|^{key} = ", page, re.MULTILINE)] == []


def test_the_documented_configuration(tmp_path: Path) -> None:
    """The configuration in the guide is read without a mistake."""
    page = (Path(__file__).parents[2] / "docs" / "checking.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```toml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    path = tmp_path / "pyproject.toml"
    path.write_text(block, encoding="utf-8")
    policy = read_policy(path)
    assert (policy.fail_on, policy.thresholds.huge, policy.requirements.max_size) == (
        Severity.WARNING,
        1e4,
        500_000_000,
    )
    assert policy.per_path_ignores[0].paths == f"{tmp_path.as_posix()}/models/2019/*.h5"


def test_what_fails_a_check_has_names(written: Callable[..., Path]) -> None:
    """`safety`, the default, is a name in the configuration too."""
    for name, severity in {"error": Severity.ERROR, "safety": None, "info": Severity.INFO}.items():
        assert read_policy(written(line("", "fail-on", f'"{name}"'))).fail_on == severity


@pytest.mark.parametrize(("table", "key", "kind", "meaning"), KEYS, ids=lambda part: str(part))
def test_wrong_types(table: str, key: str, kind: Any, meaning: str, written: Callable[..., Path]) -> None:
    """A value of another type is a mistake that names the file and the key."""
    for text in WRONG[kind]:
        path = written(line(table, key, text))
        with pytest.raises(ConfigurationError) as caught:
            read_policy(path)
        assert caught.value.path == str(path)
        assert len(caught.value.faults) == 1, text
        assert re.match(rf"check{re.escape(table)}\.{key}(\[\d\])?: expected ", caught.value.faults[0]), text


def test_a_whole_number_is_a_number(written: Callable[..., Path]) -> None:
    """A whole number is accepted for a number, and becomes a float."""
    huge = read_policy(written("[.thresholds]\nhuge = 10")).thresholds.huge
    assert (huge, type(huge)) == (10.0, float)


def test_everything_at_once(written: Callable[..., Path]) -> None:
    """All mistakes are told in one error, each with its key, and nothing in it can act on a terminal."""
    path = written(
        'selct = ["S"]\nignore = ["S101", "Q1", 3]\nfail-on = "never"\nper-path-ignores = [{ paths = "a" }, 3]\n'
        '"\\u001b[2J" = 1\n[.thresholds]\nhuge = "much"\nhug = 1\n'
    )
    with pytest.raises(ConfigurationError) as caught:
        read_policy(path)
    keys_reported = [fault.partition(":")[0] for fault in caught.value.faults]
    assert sorted(keys_reported) == sorted(
        [
            "check.selct",
            "check.ignore[1]",
            "check.ignore[2]",
            "check.fail-on",
            "check.per-path-ignores[0].codes",
            "check.per-path-ignores[0].reason",
            "check.per-path-ignores[1]",
            "check.\x1b[2J",
            "check.thresholds.huge",
            "check.thresholds.hug",
        ]
    )
    message = str(caught.value)
    assert message.startswith(f"{path}: has 10 mistakes in it\n")
    assert "expected one of select, ignore, fail-on," in message
    assert message.replace("\n", "").isprintable()


def test_ignores_by_path(written: Callable[..., Path], tmp_path: Path) -> None:
    """Ignores have globs, which count from the file where they name a directory, codes and a reason."""
    text = '[[.per-path-ignores]]\npaths = "{}"\ncodes = ["S101", "N"]\nreason = "an old model"\n'
    (ignore,) = read_policy(written(text.format("old/*.h5"))).per_path_ignores
    assert ignore == PathIgnore(f"{tmp_path.as_posix()}/old/*.h5", ("S101", "N"), "an old model")
    assert ignore.covers(str(tmp_path / "old/a.h5"), "S101")
    assert not ignore.covers(str(tmp_path / "new/a.h5"), "S101")
    assert not ignore.covers(str(tmp_path / "old/a.h5"), "S102")
    for glob in ("*.h5", "/elsewhere/*"):
        assert read_policy(written(text.format(glob))).per_path_ignores[0].paths == glob
    for blank in ("", "  "):
        for wrong in (text.format(blank), text.format("a").replace("an old model", blank)):
            with pytest.raises(ConfigurationError, match="is not blank"):
                read_policy(written(wrong))


def test_nearest(tmp_path: Path) -> None:
    """The nearest file counts; a pyproject.toml without the table is passed over, ckpttool.toml comes first."""
    deep = tmp_path / "a/b"
    deep.mkdir(parents=True)
    top = tmp_path / "pyproject.toml"
    top.write_text("[tool.ckpttool.check]\n")
    assert nearest_configuration(deep) == top
    (tmp_path / "a/pyproject.toml").write_text("[tool.other]\nx = 1\n[tool.ckpttool.other]\n")
    assert nearest_configuration(deep) == top
    (deep / "pyproject.toml").write_text("[tool.ckpttool.check]\n")
    assert nearest_configuration(deep) == deep / "pyproject.toml"
    (deep / "ckpttool.toml").write_text("")
    assert nearest_configuration(deep) == deep / "ckpttool.toml"


BAD = {
    "no TOML": b"[check\n",
    "no text": b"\xff\xfe",
    "deep": b"a = " + b"[" * 50_000,
    "twice": b"[check]\nselect = []\nselect = []\n",
    "number": b"check = 3\n",
    "list": b"check = [1]\n",
    "nothing": b"",
    "other table": b"[tool.ckpttool.check]\n",
    "too large": b"[check]\n" + b"#" * 2_000_000,
    "a key of many parts": b"[check]\na" + b".a" * 100_000 + b" = 1\n",
    "a table of many parts": b"[check" + b" . a" * 1_000 + b"]\n",
    "many codes": b"[check]\nignore = [" + b'"S", ' * 20_000 + b"]\n",
    "many mistakes": b"[check]\n" + b"".join(b"k%d = 1\n" % number for number in range(10_000)),
}


@pytest.mark.parametrize("name", sorted(BAD))
def test_bad_files(name: str, tmp_path: Path) -> None:
    """A file that is no TOML, or lacks the table, is one error that names the file."""
    path = tmp_path / "ckpttool.toml"
    path.write_bytes(BAD[name])
    with pytest.raises(ConfigurationError) as caught:
        read_policy(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert len(str(caught.value)) < 5_000
