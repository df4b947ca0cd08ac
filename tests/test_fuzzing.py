"""A sample of the mutants that tests/fuzzing.py makes by the ten thousand: messages of ours come of them."""

import pytest

from tests import fuzzing
from tests.floods import ENDLESS
from tests.speeds import is_slow

COUNT = 20 if is_slow() else 10


@pytest.mark.parametrize("kind", ["keras", "tensorflow"])
def test_mutants_meet_every_command(kind: str) -> None:
    """No command answers a mutant with a traceback, a control character, or more memory than it is worth, or never.
    They run in a process of their own, as memory is that of a process."""
    cases = list(fuzzing.part(0, COUNT, 7, kind, ENDLESS))
    assert [case["case"] for case in cases] == list(range(COUNT))
    assert [case for case in cases if case["wrong"]] == []
