"""Policies written as TOML: `[tool.ckpttool.check]` in a pyproject.toml, or `[check]` in a ckpttool.toml.

The keys are the fields of `Policy` and of the values in it, with dashes. One error reports all mistakes at once.
"""

import glob
import math
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from ckpttool.checks.catalogue import unknown_codes
from ckpttool.checks.policy import FAIL_ON, Policy
from ckpttool.checks.rule import Severity
from ckpttool.errors import ConfigurationError
from ckpttool.escape import printable
from ckpttool.io import scalars
from ckpttool.io.sources import FileSource

TABLES = {"ckpttool.toml": ("check",), "pyproject.toml": ("tool", "ckpttool", "check")}
"""Names of configuration files, and where in each the policy is; in one directory, the first one counts."""

_MAX_BYTES = 256 << 10
_MAX_KEY_PARTS = 100  # tomllib takes time quadratic in the parts of a dotted key
_MAX_ENTRIES = 1_000  # of a list; every finding is matched against each of them
_QUOTED = re.compile(r'"[^"]*"|\'[^\']*\'|#.*')
_TYPE_NAMES: dict[Any, str] = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}


def _parsed_toml(text: str) -> dict[str, Any]:
    """The value of a text in TOML. The reader is imported here, since most runs have no configuration."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    return tomllib.loads(text)


def nearest_configuration(start: Path) -> Path | None:
    """The configuration that counts in a directory: its own, or the nearest above it; None where there is none.

    A pyproject.toml without the table is passed over. Raises ConfigurationError for one that is no TOML.
    """
    start = start.absolute()
    for folder in (start, *start.parents):
        for name, table in TABLES.items():
            path = folder / name
            if path.is_file() and (name == "ckpttool.toml" or _value_at(_parsed(path), table) is not None):
                return path
    return None


def read_policy(path: str | os.PathLike[str]) -> Policy:
    """The policy that a configuration file states. Raises ConfigurationError with all that is wrong in it."""
    file = Path(path)
    table = TABLES.get(file.name, TABLES["ckpttool.toml"])
    content = _value_at(_parsed(file), table)
    if content is None:
        raise ConfigurationError("has no policy", path=str(path), expected=f"a table [{'.'.join(table)}]")
    reader = _Reader(file.absolute().parent)
    policy = reader.converted(Policy, content, ".".join(table))
    if reader.faults:
        count = f"{len(reader.faults):,} mistakes" if len(reader.faults) > 1 else "a mistake"
        raise ConfigurationError(f"has {count} in it", reader.faults, path=str(path))
    return policy  # type: ignore[no-any-return]


def _parsed(path: Path) -> Mapping[str, Any]:
    with FileSource(path) as source:
        if source.size > _MAX_BYTES:
            raise ConfigurationError(
                "is too large for a configuration",
                path=str(path),
                expected=f"{_MAX_BYTES:,} bytes at most",
                found=f"{source.size:,}",
            )
        raw = source.read(0, source.size)
    try:
        text = raw.decode("utf-8-sig")
        if any(_QUOTED.sub("", line).count(".") > _MAX_KEY_PARTS for line in text.splitlines()):
            raise ConfigurationError(
                "has a key with too many dots", path=str(path), expected=f"{_MAX_KEY_PARTS} at most"
            )
        return _parsed_toml(text.replace("\r\n", "\n"))
    except (ValueError, RecursionError) as error:
        raise ConfigurationError("is not valid TOML", path=str(path), found=str(error)) from error


def _value_at(document: Mapping[str, Any], table: Sequence[str]) -> Any:
    """The value under nested keys; None where one of the keys is missing."""
    value: Any = document
    for key in table:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


class _Reader:
    """Converts parsed TOML to values of the types of a policy, and collects the mistakes in `faults`."""

    def __init__(self, base: Path) -> None:
        self.faults: list[str] = []
        self._base = base

    def converted(self, kind: Any, value: Any, key: str, meaning: str | None = None) -> Any:
        """The value as one of type `kind`, or None where it is none, which is noted.

        `meaning` says what its texts stand for: a path, a glob, codes of rules, or a text that must not be blank.
        """
        if is_dataclass(kind):
            return self._object(kind, value, key)
        if get_origin(kind) is tuple:
            return self._list(get_args(kind)[0], value, key, meaning)
        if kind == Severity | None:
            return self._severity(value, key)
        if kind is float and isinstance(value, int) and not isinstance(value, bool):  # in TOML, 1 is an integer
            value = scalars.real(value)
        if type(value) is not kind or (kind is float and math.isnan(value)):
            return self._wrong(key, f"expected {_TYPE_NAMES.get(kind, kind)}", value)
        return self._text(value, key, meaning) if kind is str else value

    def _object(self, kind: Any, value: Any, key: str) -> Any:
        if not isinstance(value, Mapping):
            return self._wrong(key, "expected a table", value)
        known = {field.name.replace("_", "-"): field for field in fields(kind)}
        types = get_type_hints(kind)
        for name in value:
            if name not in known:
                self.faults.append(f"{key}.{name}: is an unknown key, expected one of {', '.join(known)}")
        for name, field in known.items():
            if name not in value and _is_required(field):
                self.faults.append(f"{key}.{name}: is missing")
        before = len(self.faults)
        arguments = {
            field.name: self.converted(types[field.name], value[name], f"{key}.{name}", field.metadata.get("meaning"))
            for name, field in known.items()
            if name in value
        }
        if len(self.faults) > before or any(name not in value for name, field in known.items() if _is_required(field)):
            return None
        return kind(**arguments)

    def _list(self, kind: Any, value: Any, key: str, meaning: str | None) -> Any:
        if not isinstance(value, list):
            return self._wrong(key, "expected a list", value)
        if len(value) > _MAX_ENTRIES:
            return self._wrong(key, f"expected {_MAX_ENTRIES:,} entries at most", f"{len(value):,}")
        return tuple(self.converted(kind, entry, f"{key}[{number}]", meaning) for number, entry in enumerate(value))

    def _severity(self, value: Any, key: str) -> Any:
        if not isinstance(value, str) or value not in FAIL_ON:
            return self._wrong(key, f"expected one of {', '.join(FAIL_ON)}", value)
        return FAIL_ON[value]

    def _text(self, value: str, key: str, meaning: str | None) -> Any:
        if meaning == "codes" and unknown_codes([value]):
            return self._wrong(key, "expected the code of a rule, the beginning of one, or ALL", value)
        if meaning in ("text", "glob") and not value.strip():
            return self._wrong(key, "expected a text that is not blank", value)
        if meaning == "glob" and "/" in value and not os.path.isabs(value):
            return f"{glob.escape(self._base.as_posix().rstrip('/'))}/{value}"
        return str(self._base / value) if meaning == "path" and value else value

    def _wrong(self, key: str, expected: str, value: Any) -> Any:
        """Note a mistake; None takes the place of the value."""
        self.faults.append(f"{key}: {expected}, found {_shown(value)}")


def _is_required(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return "a table"
    return "a list" if isinstance(value, list) else printable(repr(value), 80)
