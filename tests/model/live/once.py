"""Processes of functions that build models, each started once: Keras takes seconds to start in each."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ckpttool.model.live import user_function


@contextmanager
def asked_once() -> Iterator[None]:
    """Gives for a function that is asked again what its process wrote and printed."""
    genuine = user_function._run
    known = dict[str, tuple[int, bytes, bytes | None]]()

    def run(target: str, answer: Path, output: Path) -> int:
        if target not in known:
            status = genuine(target, answer, output)
            known[target] = status, output.read_bytes(), answer.read_bytes() if answer.exists() else None
        status, printed, written = known[target]
        output.write_bytes(printed)
        if written is not None:
            answer.write_bytes(written)
        return status

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(user_function, "_run", run)
        yield
