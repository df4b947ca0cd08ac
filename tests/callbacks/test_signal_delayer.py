"""Signals that end a process are delayed once, for a limited time, and then do what they would have done."""

import signal
import sys
import threading
from collections.abc import Iterator

import pytest

from ckpttool.callbacks.signals import SIGNALS, SignalDelayer, signals_of

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs signals of POSIX")

WAIT = 30.0  # seconds after which a test has failed


class Handler:
    """A handler of the user's own that counts its calls."""

    def __init__(self) -> None:
        self.calls, self.called = 0, threading.Event()

    def __call__(self, number: int, frame: object) -> None:
        """Count a call."""
        self.calls += 1
        self.called.set()


@pytest.fixture
def handler() -> Iterator[Handler]:
    """A handler of SIGUSR1."""
    handler = Handler()
    before = signal.signal(signal.SIGUSR1, handler)
    yield handler
    signal.signal(signal.SIGUSR1, before)


def test_a_signal_acts_when_it_is_released(handler: Handler) -> None:
    """The earlier handler is called by `release`, not before, and is in its place again."""
    delayer = SignalDelayer(WAIT, [signal.SIGUSR1])
    assert delayer.install()
    signal.raise_signal(signal.SIGUSR1)
    assert (handler.calls, delayer.pending) == (0, signal.SIGUSR1)
    delayer.begin()
    delayer.release()
    assert (handler.calls, delayer.pending) == (1, None)
    assert signal.getsignal(signal.SIGUSR1) is handler
    delayer.release()
    assert handler.calls == 1


def test_the_deadline(handler: Handler) -> None:
    """A signal that nothing releases acts by itself after the deadline."""
    delayer = SignalDelayer(0.1, [signal.SIGUSR1])
    delayer.install()
    signal.raise_signal(signal.SIGUSR1)
    assert handler.called.wait(WAIT)
    assert handler.calls == 1


def test_the_second_signal(handler: Handler) -> None:
    """A signal that comes again acts at once."""
    delayer = SignalDelayer(WAIT, [signal.SIGUSR1])
    delayer.install()
    signal.raise_signal(signal.SIGUSR1)
    assert handler.calls == 0
    signal.raise_signal(signal.SIGUSR1)
    assert handler.calls == 1
    delayer.restore()


def test_restored_handlers(handler: Handler) -> None:
    """After `restore` nothing is delayed; a handler that came later stays."""
    delayer, later = SignalDelayer(WAIT, [signal.SIGUSR1]), Handler()
    delayer.install()
    delayer.restore()
    assert signal.getsignal(signal.SIGUSR1) is handler
    delayer.install()
    signal.signal(signal.SIGUSR1, later)
    delayer.restore()
    assert signal.getsignal(signal.SIGUSR1) is later


@pytest.mark.parametrize("deadline", [0.1, WAIT])
def test_before_the_process_ends(deadline: float) -> None:
    """A signal without a handler, which ends the process, is preceded by `before_end`.

    The default of SIGURG, which nothing here sends, is to do nothing.
    """
    ended = threading.Event()
    assert signal.getsignal(signal.SIGURG) is signal.SIG_DFL
    delayer = SignalDelayer(deadline, [signal.SIGURG], ended.set)
    delayer.install()
    signal.raise_signal(signal.SIGURG)
    if deadline == WAIT:
        assert not ended.is_set()
        delayer.release()
    assert ended.wait(WAIT)
    delayer.restore()
    assert signal.getsignal(signal.SIGURG) is signal.SIG_DFL


def test_ignored_signals_stay_ignored() -> None:
    """A signal that the process ignores is not delayed."""
    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        delayer = SignalDelayer(1.0, [signal.SIGUSR1])
        assert delayer.install()
        signal.raise_signal(signal.SIGUSR1)
        assert delayer.pending is None
        assert signal.getsignal(signal.SIGUSR1) is signal.SIG_IGN
        delayer.restore()
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_other_threads_install_nothing(handler: Handler) -> None:
    """Only the main thread can delay signals."""
    installed = list[bool]()
    thread = threading.Thread(target=lambda: installed.append(SignalDelayer(WAIT, [signal.SIGUSR1]).install()))
    thread.start()
    thread.join()
    assert installed == [False]
    assert signal.getsignal(signal.SIGUSR1) is handler


def test_signals_of_a_choice() -> None:
    """All signals, those chosen by number, or none; SIGKILL cannot be delayed."""
    assert signals_of(True) == SIGNALS
    assert signals_of(False) == ()
    assert signals_of([signal.SIGUSR1.value]) == (signal.SIGUSR1,)
    with pytest.raises(ValueError, match="no process can delay SIGKILL"):
        signals_of([signal.SIGKILL])
