"""A sample of the mutants that tests/fuzzing.py makes by the ten thousand: messages of ours come of them, and soon."""

import pytest

from tests import fuzzing

COUNT = 20


@pytest.mark.parametrize("kind", ["keras", "tensorflow"])
def test_mutants_meet_every_command(kind: str) -> None:
    """No command answers a mutant with a traceback, a control character, or more time or memory than it is worth. They
    run in a process of their own, as memory is that of a process."""
    cases = list(fuzzing.part(0, COUNT, 7, kind))
    assert [case["case"] for case in cases] == list(range(COUNT))
    assert [case for case in cases if case["wrong"]] == []
