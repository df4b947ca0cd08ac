"""Names that files of tests take from each other: they exist, also in files that only the full run imports."""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

from tests.loops import for_each

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "tests").rglob("*.py"))


@functools.cache
def tree_of(path: Path) -> ast.Module:
    """The code of a file."""
    return ast.parse(path.read_text())


@functools.cache
def names_in(path: Path) -> frozenset[str]:
    """The names that a file defines, imports or assigns."""
    names = set[str]()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    return frozenset(names)


def file_of(module: str) -> Path | None:
    """The file of a module of tests; None for a package and for what is none."""
    path = ROOT / Path(*module.split(".")).with_suffix(".py")
    return path if path.exists() else None


def unknown_names(path: Path) -> Iterator[str]:
    """The names that a file takes from another file of tests, which does not have them."""
    modules = dict[str, Path]()
    for node in ast.walk(tree_of(path)):
        if not isinstance(node, ast.ImportFrom) or not str(node.module).startswith("tests"):
            continue
        for alias in node.names:
            if module := file_of(f"{node.module}.{alias.name}"):
                modules[alias.asname or alias.name] = module
            elif (source := file_of(str(node.module))) and alias.name not in names_in(source):
                yield f"{node.module}.{alias.name}"
    for node in ast.walk(tree_of(path)):
        match node:
            case ast.Attribute(value=ast.Name(id=name), attr=attribute) if name in modules:
                if attribute not in names_in(modules[name]):
                    yield f"{name}.{attribute}"


@for_each(FILES)
def test_names_of_other_files(path: Path) -> None:
    """A rename in one file of tests has reached all others."""
    assert list(unknown_names(path)) == []
