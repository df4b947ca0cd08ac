"""A sample of the mutants that tests/fuzzing.py makes by the ten thousand: messages of ours come of them, and soon."""

from pathlib import Path

import pytest

from tests import fuzzing

COUNT = 20


@pytest.mark.parametrize("kind", ["keras", "tensorflow"])
def test_mutants_meet_every_command(kind: str, tmp_path: Path) -> None:
    """No command answers a mutant with a traceback, a control character, or more time or memory than it is worth."""
    wrong = []
    for number in range(COUNT):
        folder = tmp_path / str(number)
        folder.mkdir()
        path = fuzzing.mutant(number, 7, folder, kind)
        for name, arguments in fuzzing.COMMANDS.items():
            _, problems = fuzzing.tried([argument.replace("{}", str(path)) for argument in arguments])
            wrong += [f"{number}, {name}: {problem}" for problem in problems]
    assert wrong == []
