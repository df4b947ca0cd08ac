"""Jobs beside the training: one at a time, in the order of their submission, and no error lost."""

import threading

import pytest

from ckpttool.callbacks.background import Worker

WAIT = 30.0  # seconds after which a test has failed


def test_one_at_a_time() -> None:
    """A job waits for the one before it, which is told of first, in the thread of the caller."""
    progress, gate = list[tuple[str, str]](), threading.Event()

    def job(number: int) -> str:
        assert gate.wait(WAIT)
        return f"{number} in {threading.current_thread().name.split('_')[0]}"

    worker = Worker[str](True, lambda text: progress.append((text, threading.current_thread().name)), progress.append)
    worker.submit(lambda: job(1))
    worker.poll()
    assert progress == []
    gate.set()
    worker.submit(lambda: job(2))
    assert [text for text, _ in progress] == ["1 in ckpttool-saving"]
    worker.close()
    assert [text for text, _ in progress] == ["1 in ckpttool-saving", "2 in ckpttool-saving"]
    assert {name for _, name in progress} == {threading.current_thread().name}


@pytest.mark.parametrize("background", [False, True])
def test_what_a_job_raises(background: bool) -> None:
    """An error of a job is reported once; an error in reporting it is raised, and the thread ends all the same."""

    def fails() -> None:
        raise OSError("gone")

    def failed(error: Exception) -> None:
        raise error

    before = threading.enumerate()
    worker = Worker[None](background, lambda result: None, failed)
    with pytest.raises(OSError, match="gone"):  # noqa: PT012
        worker.submit(fails)
        worker.close()
    worker.close()
    assert set(threading.enumerate()) <= set(before)
