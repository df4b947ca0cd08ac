"""Signals that end a process, kept until the model can be saved."""

import os
import signal
import threading
from collections.abc import Callable, Iterable, Sequence
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGINT)


def signals_of(asked: bool | Iterable[int]) -> tuple[signal.Signals, ...]:
    """The signals that are to be held back. Raises ValueError for those that no process can hold back."""
    found = SIGNALS if asked is True else tuple(map(signal.Signals, asked or ()))
    for each in found:
        if each in (getattr(signal, "SIGKILL", None), getattr(signal, "SIGSTOP", None)):
            raise ValueError(f"save_on_signal: no process can hold {each.name} back")
    return found


class Keeper:
    """Holds back the signals that end a process. Who uses it asks `pending` between two steps, saves, and lets it
    `release` the signal, which then does what it would have done.

    A signal is held back once and for `deadline` seconds at most: after that, or when it comes again, it acts at once.
    Where no handler is called and the process just ends, `before_end` is called first.
    """

    def __init__(
        self,
        deadline: float,
        signals: Sequence[signal.Signals] = SIGNALS,
        before_end: Callable[[], object] = lambda: None,
    ) -> None:
        self._deadline, self._signals, self._before_end = deadline, signals, before_end
        self._earlier: dict[int, Any] = {}
        self._timer: threading.Timer | None = None
        self.pending: int | None = None

    def install(self) -> bool:
        """Begins to hold signals back; whether it could be done, which only the main thread can."""
        if threading.current_thread() is not threading.main_thread():
            return False
        for number in self._signals:
            earlier = signal.getsignal(number)
            if earlier not in (signal.SIG_IGN, None):  # None: a handler that is not Python's
                self._earlier[number] = earlier
                signal.signal(number, self._arrived)
        return True

    def restore(self) -> None:
        """Puts the earlier handlers back."""
        for number, handler in self._earlier.items():
            if signal.getsignal(number) == self._arrived:
                signal.signal(number, handler)
        self._earlier.clear()
        self._stop_timer()

    def begin(self) -> None:
        """The model is being saved: the deadline no longer holds."""
        self._stop_timer()

    def release(self) -> None:
        """Lets the pending signal do what it would have done."""
        number, self.pending = self.pending, None
        self._stop_timer()
        if number is not None:
            self._prepare_end(number)
            signal.raise_signal(number)

    def _arrived(self, number: int, _frame: FrameType | None) -> None:
        self.pending = number
        for each, handler in self._earlier.items():
            signal.signal(each, handler)
        self._earlier.clear()
        self._timer = threading.Timer(self._deadline, self._send, (number,))
        self._timer.daemon = True
        self._timer.start()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _prepare_end(self, number: int) -> None:
        if signal.getsignal(number) is signal.SIG_DFL:
            self._before_end()

    def _send(self, number: int) -> None:
        """Sends a signal to this process, so that it acts even where the main thread does not come to itself."""
        self._prepare_end(number)
        os.kill(os.getpid(), number)
