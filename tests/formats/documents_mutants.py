"""Documents of a `.keras` in which keys are repeated, and how a reader sees them that takes the first of each."""

import io
import json
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ckpttool
from tests.samples import members


def _text(value: Any, rng: random.Random, chance: float) -> str:
    """JSON, in which some objects repeat a key with another value."""
    if isinstance(value, dict):
        pairs = [(key, _text(item, rng, chance)) for key, item in value.items()]
        if pairs and rng.random() < chance:
            key, _ = rng.choice(pairs)
            pairs.insert(rng.randrange(len(pairs) + 1), (key, rng.choice(('"other"', "null", "1", "{}", "[]"))))
        return "{" + ", ".join(f"{_key(key, rng)}: {item}" for key, item in pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_text(item, rng, chance) for item in value) + "]"
    return json.dumps(value)


def _key(key: str, rng: random.Random) -> str:
    """A key, now and then with its first letter escaped."""
    if key and rng.random() < 0.1:
        return f'"\\u{ord(key[0]):04x}' + json.dumps(key[1:])[1:]
    return json.dumps(key)


def mutant(rng: random.Random) -> tuple[bytes, Callable[[bytes], dict[str, Any]], list[str]]:
    """An archive, how others see its config, and what was done."""
    parts = members("keras3.0/mlp.keras")
    name = rng.choice(("config.json", "metadata.json"))
    parts[name] = _text(json.loads(parts[name]), rng, 0.05).encode(
        rng.choice(("utf-8", "utf-8", "utf-8-sig", "utf-16"))
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for key, data in parts.items():
            archive.writestr(key, data)
    return out.getvalue(), views, [name]


def views(data: bytes) -> dict[str, Any]:
    """The documents, the last of equal keys taken as Keras does, and the first."""
    return {"the last key": _read(data, dict), "the first key": _read(data, lambda pairs: dict(reversed(pairs)))}


def _read(data: bytes, pairs: Callable[[Any], Any]) -> Any:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [json.loads(archive.read(name), object_pairs_hook=pairs) for name in ("config.json", "metadata.json")]


def our_view(path: Path) -> Any:
    """The config and the metadata, as far as they are handed on."""
    with ckpttool.open(path) as checkpoint:
        producer = checkpoint.producer
        return [checkpoint.config, {"keras_version": producer.keras_version, "date_saved": producer.date_saved}]


def compare(ours: Any, theirs: Any) -> list[str]:
    """The differences of two readings."""
    return [
        name
        for name, own, two in zip(("config.json", "metadata.json"), ours, theirs, strict=True)
        if own != {key: two.get(key) for key in own} or (name == "config.json" and own != two)
    ]
