"""All configs of models in a folder of checkpoints: whole models, architectures in JSON and YAML, archives of such."""

import gzip
import json
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ckpttool.errors import CheckpointError
from ckpttool.formats import open_checkpoint
from ckpttool.io import yaml_text

_MODELS = ("Sequential", "Functional", "Model", "Graph")
_TEXTS = (".json", ".yaml", ".yml", ".jsonl")
_WHOLE = (".h5", ".hdf5", ".keras")


@dataclass(frozen=True)
class Config:
    """A config, where it was, and the loader that Keras has for such: keras, h5 or json."""

    name: str
    loader: str
    config: Any
    training: Any = None

    @classmethod
    def of(cls, question: str) -> "Config":
        """The config that a recorded question is about."""
        return cls(**json.loads(question))

    def __str__(self) -> str:
        return f"{self.name} by {self.loader}"


def configs_in(folder: Path) -> Iterator[Config]:
    """The configs in a folder, each once."""
    seen = set[str]()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "broken" not in path.parts:
            for config in _of_file(path, path.relative_to(folder).as_posix()):
                key = json.dumps([config.loader, config.config, config.training], sort_keys=True)
                if key not in seen:
                    seen.add(key)
                    yield config


def _of_file(path: Path, name: str) -> Iterator[Config]:
    if path.suffix in _TEXTS:
        yield from _of_text(path.read_bytes(), name)
    elif name.endswith(".h5.gz"):
        yield from _of_bytes(gzip.decompress(path.read_bytes()), ".h5", name)
    elif path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                if member.endswith(_WHOLE):
                    yield from _of_bytes(archive.read(member), Path(member).suffix, f"{name}/{member}")
                elif member.endswith(_TEXTS):
                    yield from _of_text(archive.read(member), f"{name}/{member}")
    elif path.suffix in (".h5", ".hdf5", ".hd5", ".keras", ".kerass"):
        yield from of_checkpoint(path, name)


def _of_bytes(raw: bytes, suffix: str, name: str) -> Iterator[Config]:
    with tempfile.NamedTemporaryFile(suffix=suffix) as file:
        file.write(raw)
        file.flush()
        yield from of_checkpoint(Path(file.name), name)


def of_checkpoint(path: Path, name: str) -> Iterator[Config]:
    """The config of a checkpoint, if it has one."""
    try:
        with open_checkpoint(path) as checkpoint:
            kind, config, training = checkpoint.kind, checkpoint.config, checkpoint.training_config
    except CheckpointError:
        return
    if isinstance(config, dict):
        loader = {"legacy-model": "h5", "keras-zip": "keras", "keras-dir": "keras"}.get(kind, "json")
        yield Config(name, loader, config, training if loader == "h5" else None)


def _of_text(raw: bytes, name: str) -> Iterator[Config]:
    for line in raw.splitlines() if name.endswith(".jsonl") else [raw]:
        try:
            value = json.loads(line)
        except ValueError:
            try:
                value = yaml_text.parse(line, "the architecture")
            except CheckpointError:
                continue
        yield from (Config(f"{name} {number}", "json", model) for number, model in enumerate(_models_in(value, 0)))


def _models_in(value: Any, depth: int) -> Iterator[dict[str, Any]]:
    if depth > 12:
        return
    if isinstance(value, dict):
        if value.get("class_name") in _MODELS and isinstance(value.get("config"), dict | list):
            yield value
            return
        value = list(value.values())
    for item in value if isinstance(value, list) else ():
        yield from _models_in(item, depth + 1)
