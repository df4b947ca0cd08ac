"""The tree of errors and the wording of their messages."""

import inspect
import pickle
import re
from pathlib import Path

import pytest

import ckpttool
from ckpttool import errors
from ckpttool.checkpoint import Refusal
from ckpttool.errors import CheckpointError, CorruptFileError, UnsafeFileError, UnsupportedError, WeightNotFoundError

KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, CheckpointError)]


def test_tree() -> None:
    """Every error is a `CheckpointError`, stands in the tree drawn at the top, and can be imported from the package."""
    assert len(KINDS) == 17
    for kind in KINDS:
        assert issubclass(kind, CheckpointError)
        assert kind.__name__ in (errors.__doc__ or "")
        assert getattr(ckpttool, kind.__name__) is kind


def test_errors_are_defined_in_one_module() -> None:
    """No other module defines an error of ckpttool, which would be missing from the tree and from the front door."""
    names = "|".join(kind.__name__ for kind in KINDS)
    package = Path(ckpttool.__file__).parent
    defining = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if re.search(rf"^ *class \w+\((.*\W)?({names})\b", path.read_text("utf-8"), re.M)
    }
    assert defining == {"errors.py"}


def test_message() -> None:
    """A message has the path and the fault first, then the facts there are, one a line."""
    error = CorruptFileError("is cut", path="m.h5", where="group a", expected="10", found="7", hint="fetch it again")
    assert str(error) == "m.h5: is cut\n  where: group a\n  expected: 10\n  found: 7\n  next: fetch it again"
    assert str(CheckpointError("is cut")) == "is cut"
    assert str(CheckpointError("is cut", found="7")) == "is cut\n  found: 7"


@pytest.mark.parametrize("kind", KINDS)
def test_message_is_escaped(kind: type[CheckpointError]) -> None:
    """No fact of a file reaches the terminal raw, and no message grows without end."""
    hostile = "\x1b]0;x\x07\n\u202e"
    message = str(
        kind(hostile, path=hostile, where=hostile, expected=hostile, found=hostile + "x" * 10**6, hint=hostile)
    )
    assert not {"\x1b", "\x07", "\u202e"} & set(message)
    assert len(message.splitlines()) == 5
    assert len(message) < 10_000


def test_at_adds_and_never_replaces() -> None:
    """`at` fills in what an error does not know yet."""
    error = CheckpointError("is cut", where="inner")
    assert error.at(path="p", where="outer") is error
    assert (error.path, error.where) == ("p", "inner")
    assert error.at(path="q").path == "p"


def test_missing_weight_is_a_key_error() -> None:
    """A missing weight can be caught as `KeyError`, and its message is still in words."""
    error = WeightNotFoundError("no weight", path="m.h5")
    assert isinstance(error, KeyError)
    assert str(error) == "m.h5: no weight"


@pytest.mark.parametrize(
    ("kind", "refused_as"),
    [(UnsafeFileError, "bomb"), (UnsupportedError, "unsupported"), (CorruptFileError, "corrupt")],
)
def test_refusal_of_an_error(kind: type[CheckpointError], refused_as: str) -> None:
    """An error that reading went on after keeps its facts as a refusal."""
    error = kind("is odd", where="w", expected="a", found="b")
    assert Refusal.from_error(error) == Refusal(refused_as, "w", "is odd, expected a, found b")
    assert Refusal.from_error(error, "p").place == "p"


def test_errors_can_be_pickled() -> None:
    """An error survives the way between processes with its message."""
    error = CorruptFileError("is cut", path="m.h5", found="7")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
