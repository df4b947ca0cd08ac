"""Names that files of tests take from each other: they exist, also in files that only the full run imports."""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.loops import for_each

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "tests").rglob("*.py"))


class Names(NamedTuple):
    """The names in a file: those that it defines, imports or assigns, its imports from files of tests, and the
    attributes that it takes of names."""

    own: frozenset[str]
    imports: tuple[ast.ImportFrom, ...]
    attributes: frozenset[tuple[str, str]]


@functools.cache
def names_in(path: Path) -> Names:
    """The names in a file."""
    own, imports, attributes = set[str](), list[ast.ImportFrom](), set[tuple[str, str]]()
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.Name(id=name, ctx=ast.Store()):
                own.add(name)
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                own |= {(alias.asname or alias.name).partition(".")[0] for alias in aliases}
                if isinstance(node, ast.ImportFrom) and str(node.module).startswith("tests"):
                    imports.append(node)
            case ast.Attribute(value=ast.Name(id=name), attr=attribute):
                attributes.add((name, attribute))
    return Names(frozenset(own), tuple(imports), frozenset(attributes))


def file_of(module: str) -> Path | None:
    """The file of a module of tests; None for a package and for what is none."""
    path = ROOT / Path(*module.split(".")).with_suffix(".py")
    return path if path.exists() else None


def unknown_names(path: Path) -> Iterator[str]:
    """The names that a file takes from another file of tests, which does not have them."""
    modules, names = dict[str, Path](), names_in(path)
    for node in names.imports:
        for alias in node.names:
            if module := file_of(f"{node.module}.{alias.name}"):
                modules[alias.asname or alias.name] = module
            elif (source := file_of(str(node.module))) and alias.name not in names_in(source).own:
                yield f"{node.module}.{alias.name}"
    for name, attribute in names.attributes:
        if name in modules and attribute not in names_in(modules[name]).own:
            yield f"{name}.{attribute}"


@for_each(FILES)
def test_names_of_other_files(path: Path) -> None:
    """A rename in one file of tests has reached all others."""
    assert list(unknown_names(path)) == []
