"""The front door: all that is public can be had from it, and whatever it gives shows itself in a line."""

import ast
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import ckpttool
from ckpttool import CheckpointError, Choice, errors
from tests.loops import for_each
from tests.samples import FIXTURES, INDEX, of_each_kind

CHECKPOINTS = [
    name
    for name in INDEX
    if "npz" not in name and "/assets/" not in name and (not name.endswith((".json", ".yaml")) or ".weights." in name)
]
LONGEST = 120
READERS = {"facts", "values"}  # what is asked for bytes, and what is remembered: no part of a result
MOST = 8  # members of one collection


def test_the_front_door() -> None:
    """Everything that is listed can be had, all errors among it, and type checkers find it in the same modules."""
    for name in ckpttool.__all__:
        assert getattr(ckpttool, name).__name__.endswith(name.rpartition(".")[2]) or name in ("Section",)
    exceptions = {
        name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)
    }
    assert exceptions <= set(ckpttool.__all__)
    door = ast.parse(Path(ckpttool.__file__).read_text("utf-8"))
    (block,) = (node for node in door.body if isinstance(node, ast.If))
    typed = list[str]()
    for node in block.body:
        assert isinstance(node, ast.ImportFrom)
        typed += [f"{node.module}.{name.name}" for name in node.names if name.name == name.asname]
    assert sorted(typed) == sorted(f"{module}.{name}" for name, module in ckpttool._MODULES.items())


def results(path: Path, scratch: Path) -> Iterator[Callable[[], Any]]:
    """The calls that give every kind of result for a checkpoint; one may be refused."""
    other = FIXTURES / "keras3/mlp.keras"
    yield lambda: ckpttool.open(path)
    yield lambda: ckpttool.ls(path, Choice(stats=True, graph=True, pictures=True))
    yield lambda: ckpttool.info(path)
    yield lambda: ckpttool.check(str(path))
    yield lambda: ckpttool.cost(path)
    yield lambda: ckpttool.graph(path)
    yield lambda: ckpttool.load_architecture(path)
    yield lambda: ckpttool.load_spec(path)
    yield lambda: ckpttool.verify(other, path)
    yield lambda: ckpttool.plan(path, scratch / "new.keras")
    yield lambda: ckpttool.diff(path, other)
    yield lambda: ckpttool.report(path)


def parts(value: Any) -> Iterator[Any]:
    """The public values that a value has: its fields and properties, or the members of a collection."""
    kind = type(value)
    if kind.__module__.startswith("ckpttool"):
        fields = {field.name for field in dataclasses.fields(kind)} if dataclasses.is_dataclass(kind) else set()
        fields |= set(getattr(kind, "_fields", ())) | set(getattr(kind, "__slots__", ()))
        fields |= {name for name in dir(kind) if isinstance(getattr(kind, name), property)}
        yield from (getattr(value, name) for name in sorted(fields - READERS) if not name.startswith("_"))
    if isinstance(value, Mapping):
        yield from list(value.values())[:MOST]
    elif isinstance(value, tuple | list | frozenset):
        yield from list(value)[:MOST]


def walls(value: Any, seen: set[int], keep: list[Any]) -> Iterator[str]:
    """The texts of a value, and of the values in it, that fill more than a line."""
    if id(value) in seen:
        return
    seen.add(id(value))
    keep.append(value)  # no other value gets its number
    if type(value).__module__.startswith("ckpttool") and (len(repr(value)) > LONGEST or "\n" in repr(value)):
        yield f"{type(value).__name__}: {repr(value)[:200]}"
    try:
        members = list(parts(value))
    except CheckpointError:
        return
    for member in members:
        yield from walls(member, seen, keep)


@for_each(of_each_kind(CHECKPOINTS))
def test_values_show_themselves_in_a_line(name: str, tmp_path: Path) -> None:
    """No value that the front door gives of any fixture takes more than a line."""
    for call in results(FIXTURES / name, tmp_path):
        try:
            value = call()
        except CheckpointError:
            continue
        with value if isinstance(value, ckpttool.Checkpoint) else nullcontext():
            assert list(walls(value, set(), [])) == []


def test_arguments_show_themselves_in_a_line() -> None:
    """Nor does a value that is made to be given to it."""
    for kind in (ckpttool.Policy, ckpttool.Allowed, Choice, ckpttool.Options, ckpttool.Scope, ckpttool.Tolerance):
        assert list(walls(kind(), set(), [])) == []
