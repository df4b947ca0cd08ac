"""The work that one file may cost, counted where it is done, in proportion to the size of the file.

Every `Source` carries the budget of the file that its bytes come from: an archive's members, and a file that a deflated
member inflates to, share the budget of the archive. A step stands for a microsecond of work or a hundred bytes of
memory, whichever is more: for a message of a header, a link, a leaf of a tree, sixteen characters of a name, a piece of
JSON, a kilobyte of values. An honest file takes a small part of its budget.
"""

import sys

from ckpttool.errors import UnsafeFileError

LEAST_STEPS = 1_000_000  # for a file of any size
_BYTES_A_STEP = 16


class Budget:
    """The steps that are left for one file, or for several that belong together."""

    __slots__ = ("_allowed", "steps")

    def __init__(self, nbytes: int, least: int = LEAST_STEPS) -> None:
        self.steps = self._allowed = least + nbytes // _BYTES_A_STEP

    def grow(self, nbytes: int) -> None:
        """Add the budget of a further file of `nbytes` bytes."""
        self.steps += nbytes // _BYTES_A_STEP
        self._allowed += nbytes // _BYTES_A_STEP

    def spend(self, steps: int) -> None:
        """Take `steps` off the budget. Raises UnsafeFileError when nothing is left."""
        self.steps -= steps
        if self.steps < 0:
            raise self.exceeded()

    def affords(self, steps: int) -> bool:
        """Take `steps` off the budget if so many are left; true if they were."""
        if steps > self.steps:
            return False
        self.steps -= steps
        return True

    def exceeded(self) -> UnsafeFileError:
        """The error for a file that costs more than its budget."""
        return UnsafeFileError(
            "asks for far more work than a file of its size is worth: its structure repeats itself or has no end",
            expected=f"{self._allowed:,} steps of work at most",
            hint="do not load this file; ask its author for another one",
        )


def steps_of_text(text: str) -> int:
    """The steps that a text costs, by the memory that it occupies: up to four bytes a character."""
    return sys.getsizeof(text) >> 6
