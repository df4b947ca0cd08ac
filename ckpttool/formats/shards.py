"""Sharded weights: `NAME.weights.json`, whose `weight_map` spreads the path layout over `NAME_00000.weights.h5` ...

(`ShardedH5IOStore`, keras/src/saving/saving_lib.py, 3.15.) Shards are files beside the index and nothing else.
"""

from pathlib import Path
from typing import Any

from ckpttool.checkpoint import Checkpoint
from ckpttool.errors import (
    CheckpointError,
    CorruptFileError,
    UnknownFormatError,
    UnsafeFileError,
    UnsupportedError,
    ambiguous,
)
from ckpttool.formats import weights_h5
from ckpttool.formats.builder import Parts
from ckpttool.formats.hdf5_input import Hdf5Input
from ckpttool.formats.weight_paths import Names
from ckpttool.io import json_text
from ckpttool.io.sources import FileSource

MAX_SHARDS = 10_000
_MAX_REPEATED = 100  # names of shards in one entry that name a shard again


def read(source: FileSource) -> Checkpoint:
    """The checkpoint that an index and its shards make up."""
    with source:
        index = json_text.parse(json_text.read_whole(source, "the index"), "the index", source.budget)
    weight_map = _weight_map(index.value)
    directory = Path(source.path).parent
    shards = {shard: _shard_path(directory, shard) for shard in _shards(weight_map)}
    with Parts(source.budget, files=[Path(source.path).name, *shards]) as parts:
        for oddity in index.oddities:
            parts.refuse(oddity.kind, "", oddity.text)
        opened = {name: _open_shard(parts, path, name) for name, path in shards.items()}
        names: Names = {}
        for shard in opened.values():
            names |= weights_h5.object_names(shard.tree)
        for name, shard in opened.items():
            _add_weights(shard, names, name)
    _compare(parts, index.value, weight_map, opened)
    _extra_shards(parts, directory, Path(source.path).name, shards)
    size = source.size + sum(path.stat().st_size for path in shards.values())
    return parts.checkpoint(source.path, "sharded", size)


def _weight_map(index: Any) -> dict[str, list[str]]:
    """The shards of each group path; raises where the JSON is no index."""
    listed_groups = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(listed_groups, dict):
        raise _not_an_index(index)
    weight_map: dict[str, list[str]] = {}
    for path, shards in listed_groups.items():
        listed = shards if isinstance(shards, list) else [shards]
        if not listed or not all(isinstance(shard, str) for shard in listed):
            raise CorruptFileError("the index names shards by something else than file names", where=path)
        if any(shard.endswith((".safetensors", ".bin")) for shard in listed):
            raise UnsupportedError(
                "is the index of shards of another library, not of Keras", found=listed[0], hint="Keras has .weights.h5"
            )
        if weight_map.setdefault(path.strip("/"), listed) is not listed:
            raise ambiguous("the index lists a group twice", where=path)
    if not weight_map:
        raise CorruptFileError("the index lists no weights")
    return weight_map


def _not_an_index(index: Any) -> UnknownFormatError:
    if isinstance(index, dict) and "config" in index:
        return UnknownFormatError(
            "is the architecture of a model in JSON, not a checkpoint",
            expected="an index with a weight_map",
            hint="the weights are in another file, often .weights.h5 or .h5 beside it",
        )
    return UnknownFormatError("is JSON, but no index of sharded weights", expected="an object with a weight_map")


def _shards(weight_map: dict[str, list[str]]) -> list[str]:
    shards = list(dict.fromkeys(shard for listed in weight_map.values() for shard in listed))
    if len(shards) > MAX_SHARDS:
        raise UnsafeFileError("the index names too many shards", found=f"{len(shards):,}")
    return sorted(shards)


def _shard_path(directory: Path, shard: str) -> Path:
    """The path of a shard; raises where its name leads out of the directory of the index or it is missing."""
    path = directory / shard
    if not shard.isprintable() or any(char in shard for char in "/\\:") or shard in ("", ".", ".."):
        raise UnsafeFileError(
            f"names the shard {shard!r}",
            expected="a plain file name beside the index",
            hint="do not load this file",
            kind="external",
        )
    if path.is_symlink():
        raise UnsafeFileError(
            f"the shard {shard} is a symbolic link, which is not followed", hint="copy the file itself", kind="external"
        )
    if not path.exists():
        raise CorruptFileError(f"the shard {shard} is missing", expected=f"a file {shard} beside the index")
    return path


def _open_shard(parts: Parts, path: Path, name: str) -> Hdf5Input:
    source = FileSource(path, parts.budget)
    parts.budget.grow(source.size)
    parts.closers.append(source.close)
    try:
        return Hdf5Input.of_file(source, parts)
    except CheckpointError as error:
        raise error.at(where=f"shard {name}") from error.__cause__


def _add_weights(shard: Hdf5Input, names: Names, name: str) -> None:
    repeated = shard.parts.weights.keys() & shard.tree.datasets.keys()
    if repeated:
        raise CorruptFileError("repeats a weight of another shard", where=f"shard {name}", found=min(repeated))
    weights_h5.read(shard, names)


def _compare(parts: Parts, index: Any, weight_map: dict[str, list[str]], shards: dict[str, Hdf5Input]) -> None:
    """Refuse weights of the index that are not in the shards, and weights in the shards that are not in the index."""
    for path, listed in weight_map.items():
        absent = [name for name in dict.fromkeys(listed) if path not in shards[name].tree.groups]
        if absent:
            parts.refuse("missing", path, f"the index says it is in {', '.join(absent[:5])}, where it is not")
        if len(set(listed)) < len(listed):
            kind = "bomb" if len(listed) > _MAX_REPEATED else "ambiguous"
            parts.refuse(kind, path, f"the index lists {len(listed):,} shards, {len(set(listed)):,} different ones")
    looked_for = {path: frozenset(listed) for path, listed in weight_map.items()}
    for name, shard in shards.items():
        for weight in shard.tree.datasets:
            if name not in looked_for.get(weight.rpartition("/")[0], ()):
                parts.refuse("corrupt", weight, f"in {name}, where the index does not look for it")
    metadata = index.get("metadata")
    total = metadata.get("total_size") if isinstance(metadata, dict) else None
    if not isinstance(total, int | float) or not total >= 0:
        parts.refuse("corrupt", "metadata.total_size", "no size in bytes")


def _extra_shards(parts: Parts, directory: Path, index: str, shards: dict[str, Path]) -> None:
    stem = index.removesuffix(".json").removesuffix(".weights")
    for path in sorted(directory.glob("*.weights.h5")):
        if path.name.startswith(f"{stem}_") and path.name not in shards:
            parts.refuse("extra", path.name, "looks like a shard, but the index does not name it")
