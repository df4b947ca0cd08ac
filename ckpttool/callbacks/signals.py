"""Signals that end a process, delayed until the model is saved."""

import os
import signal
import threading
from collections.abc import Callable, Iterable, Sequence
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGINT)


def signals_of(choice: bool | Iterable[int]) -> tuple[signal.Signals, ...]:
    """The signals to delay: all of `SIGNALS`, those chosen, or none. Raises ValueError for SIGKILL and SIGSTOP."""
    signals = SIGNALS if choice is True else tuple(map(signal.Signals, choice or ()))
    for number in signals:
        if number in (getattr(signal, "SIGKILL", None), getattr(signal, "SIGSTOP", None)):
            raise ValueError(f"save_on_signal: no process can delay {number.name}; choose signals such as SIGTERM")
    return signals


class SignalDelayer:
    """Delays the signals that end a process. The training looks at `pending` between two steps, saves, and calls
    `release`; then the signal acts as it would have done at once.

    A signal is delayed once and for `deadline` seconds at most: after that, or when it comes again, it acts at once.
    Where it then ends the process without calling a handler, `before_end` is called first.
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
        """Begin to delay signals. Returns whether that is possible: only the main thread can install handlers."""
        if threading.current_thread() is not threading.main_thread():
            return False
        for number in self._signals:
            earlier = signal.getsignal(number)
            if earlier not in (signal.SIG_IGN, None):  # None: a handler that is not Python's
                self._earlier[number] = earlier
                signal.signal(number, self._arrived)
        return True

    def restore(self) -> None:
        """Put the earlier handlers back."""
        for number, handler in self._earlier.items():
            if signal.getsignal(number) == self._arrived:
                signal.signal(number, handler)
        self._earlier.clear()
        self._stop_timer()

    def begin(self) -> None:
        """Cancel the deadline, as the model is being saved."""
        self._stop_timer()

    def release(self) -> None:
        """Raise the pending signal, which now acts."""
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
        """Send a signal to this process, so that it acts even where the main thread is stuck outside of Python."""
        self._prepare_end(number)
        os.kill(os.getpid(), number)
