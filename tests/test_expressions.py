"""No regular expression of ckpttool goes back and forth over what a file says: time grows with length, no faster."""

import ast
import importlib
import itertools
import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import ckpttool
from tests.speeds import is_full

ROOT = Path(ckpttool.__file__).parent
LENGTH = 100_000
ENDLESS = 5  # seconds of the process's own time: a search of one place after the other takes a hundredth of one
BEFORE = ("", "x", "<", '"', "_", "keras", "a,")
AGAIN = (
    " ", "=", "a", "A", "0", "_", "_1", "_1_a", "a_", "a/", "./", "../", "/vars/1", "a>", "1.", "a.", "api.", ".api",
    "-", "[", "[a", "{", "{a", "(", "(a", "<!---->", "-->", "<a", "\n", "\t\n", " =", '"', '"a', "'a'", "\\", "#", "*",
    "::a", "b,", "a=", "aA", "A=", "forward_",
)  # fmt: skip
SCANS = ("search", "sub", "split", "findall", "finditer")  # which try one place after the other
OF_USERS = {"_STARS", "_CLAUSE"}  # which meet globs of the command line, and configurations of at most some kilobytes


def expressions() -> Iterator[Any]:
    """Every expression that a module compiles or uses, and how it is used."""
    for path in sorted(ROOT.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)) if "import re\n" in text else ():
            if not isinstance(node, ast.Assign | ast.Call):
                continue
            call, names = (node.value, node.targets) if isinstance(node, ast.Assign) else (node, [])
            if not isinstance(call, ast.Call) or not ast.unparse(call.func).startswith("re."):
                continue
            used = ast.unparse(call.func).removeprefix("re.")
            if used == "compile" and names and isinstance(names[0], ast.Name) and names[0].id not in OF_USERS:
                yield pytest.param(path, names[0].id, text, id=f"{path.stem}.{names[0].id}")
            elif used in (*SCANS, "match", "fullmatch") and isinstance(call.args[0], ast.Constant):
                pattern = re.compile(call.args[0].value)
                yield pytest.param(path, pattern, f"it.{used}(", id=f"{path.stem}:{call.lineno}")


def uses(name: str, text: str) -> set[str]:
    """The methods by which an expression is used, all that scan as one."""
    methods = set(re.findall(rf"\b{name}\.({'|'.join(SCANS)}|match|fullmatch)\(", text))
    return {"search" if method in SCANS else method for method in methods}


def takes_long(method: Callable[[str | bytes], object], subject: str | bytes) -> bool:
    """Whether a search had to be ended, which goes back and forth: no steps of it can be counted."""

    def end(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGVTALRM, end)
    signal.setitimer(signal.ITIMER_VIRTUAL, ENDLESS)
    try:
        method(subject)
    except TimeoutError:
        return True
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
    return False


@pytest.mark.skipif(sys.platform == "win32", reason="needs timers of POSIX systems")
@pytest.mark.parametrize(("path", "expression", "text"), list(expressions()))
def test_time_grows_with_length(path: Path, expression: str | re.Pattern[str], text: str) -> None:
    """A text of a hundred thousand characters that nearly fits is searched to its end."""
    if isinstance(expression, str):
        place = ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")
        pattern, methods = getattr(importlib.import_module(place), expression), uses(expression, text)
    else:
        pattern, methods = expression, uses("it", text)
    pieces = list(itertools.product(BEFORE, AGAIN)) if is_full() else list(zip(itertools.cycle(BEFORE), AGAIN))
    for piece in (before + again * (LENGTH // len(again)) + "!" for before, again in pieces):
        subject = piece.encode() if isinstance(pattern.pattern, bytes) else piece
        for method in methods:
            assert not takes_long(getattr(pattern, method), subject), f"{pattern.pattern} on {piece[:30]!r}..."
