"""The fixtures by name, what live Keras said of them, and small ways to make more files."""

import json
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.speeds import is_full, one_of_each

FIXTURES = Path(__file__).parent.parent / "fixtures"
INDEX: dict[str, dict[str, Any]] = json.loads((FIXTURES / "INDEX.json").read_text())["files"]
TRUTH: dict[str, Any] = json.loads((FIXTURES / "TRUTH.json").read_text())
TRUE_FILES = sorted(TRUTH["files"])

FIXED_DATE = (1980, 1, 1, 0, 0, 0)


def live(name: str) -> dict[str, Any]:
    """The facts of the live model whose weights the fixture `name` holds."""
    truth: dict[str, Any] = TRUTH["models"][TRUTH["files"][name]]
    return truth


def of_each_kind(names: Iterable[str]) -> list[str]:
    """Fixtures for what holds of any file: in a quick run each folder, suffix and model once, else all."""
    names = list(names)
    return names if is_full() else one_of_each(names, _kinds)


def _kinds(name: str) -> list[tuple[str, ...]]:
    path = Path(name)
    return [(path.parts[0], *path.suffixes), (path.name.partition(".")[0],)]


def members(name: str) -> dict[str, bytes]:
    """The members of a `.keras` among the fixtures."""
    with zipfile.ZipFile(FIXTURES / name) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def zipped(path: Path, parts: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    """A zip archive of these members, written to `path`."""
    with zipfile.ZipFile(path, "w", method) as out:
        for name, content in parts.items():
            info = zipfile.ZipInfo(name, FIXED_DATE)
            info.compress_type = method
            out.writestr(info, content)
    return path


def keras_like(path: Path, **changes: bytes | None) -> Path:
    """A `.keras` as the fixture keras3.0/mlp.keras, with members replaced, or left out where None.

    Members are named by their first word: `config`, `metadata`, `model` for the weights.
    """
    parts = members("keras3.0/mlp.keras")
    for key, content in changes.items():
        name = next(name for name in parts if name.startswith(key))
        parts[name] = content if content is not None else b""
        if content is None:
            del parts[name]
    return zipped(path, parts)
