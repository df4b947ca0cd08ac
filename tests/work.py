"""The work that a test's subject does, counted: a busy machine makes it slower, but no more."""

import sys
from types import FrameType
from typing import Any


class Calls:
    """Counts the calls of functions in a `with` block, those of C included, in the thread of the block."""

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> "Calls":
        self._before = sys.getprofile()
        sys.setprofile(self._note)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(self._before)

    def _note(self, frame: FrameType, event: str, argument: Any) -> None:
        self.count += event in ("call", "c_call")
