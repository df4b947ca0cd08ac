"""The index of modules in docs/architecture.md: room by room, the first line of every module.

    python -m tests.module_index

writes it; a test compares.
"""

import ast
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "architecture.md"
MARK = "writes them. -->\n"


def index() -> str:
    """The index as it has to be."""
    paths = sorted((ROOT / "ckpttool").rglob("*.py"), key=lambda path: (path.parent.as_posix(), path.name))
    lines = []
    for room, modules in groupby(paths, key=lambda path: path.parent.relative_to(ROOT)):
        lines += ["", f"### {room.as_posix()}/", ""]
        lines += [f"- `{path.stem}`: {_first_line(path)}" for path in modules if path.stem != "__main__"]
    return "\n".join(lines) + "\n"


def _first_line(path: Path) -> str:
    """The first paragraph of a module's docstring, up to its first full stop."""
    paragraph = " ".join((ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").partition("\n\n")[0].split())
    return paragraph.partition(". ")[0].rstrip(".")


def page(text: str) -> str:
    """The page with its index written anew."""
    head, mark, _ = text.partition(MARK)
    return head + mark + index()


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
