"""Chunked and compressed values, put together by h5py in a child process.

libhdf5 crashes and hangs on some hostile files, so it never runs in this process. The child (`chunk_child`) has limits
on memory, processor time and open files; whatever happens to it becomes one error here.
"""

import contextlib
import itertools
import json
import os
import struct
import threading
import time
from collections.abc import Iterator

from ckpttool.errors import CheckpointError, CorruptFileError, FileAccessError
from ckpttool.io import scalars

_NOT_INFLATED = -1
_SILENCE = 60.0  # seconds for one answer, after which the child counts as hung
_MOST_DEATHS = 4  # of children, after which no other is started; one that ran out of time counts as all
_OUT_OF_TIME = -24  # the status of a process that the system ended for the time that it took (SIGXCPU)
_MAX_FRAME = 1 << 30  # one value may be large, a frame never larger than what may be stored in one chunk

# libhdf5 loads no plugins; NumPy starts no threads, which would count against the limit on memory.
_SETTINGS = {"HDF5_PLUGIN_PRELOAD": "::", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class ChunkReader:
    """The reader of chunked datasets of one HDF5 file, by a child process that runs from the first dataset to `close`.

    Inside an archive `start` and `size` say where the member is, and `inflated` how large it gets where it is deflated.
    Safe to use from several threads, and for several datasets in turns.
    """

    def __init__(self, path: str, start: int = 0, size: int = -1, inflated: int = _NOT_INFLATED) -> None:
        self._where: list[str | int] = [os.path.abspath(path), start, size, inflated]
        self._child: _Child | None = None
        self._closed = False
        self._deaths = 0
        self._lock = threading.Lock()

    def pieces(self, dataset: str, nbytes: int, limit: int) -> Iterator[bytes]:
        """The bytes of a dataset in C order, as stored, `limit` at a time; `CorruptFileError` where they are not
        `nbytes` in all."""
        buffered, done = bytearray(), 0
        for number in itertools.count():
            part = self._answer({"dataset": dataset, "number": number})
            buffered += part
            done += len(part)
            if not part or done > nbytes:
                break
            while len(buffered) >= limit:
                yield bytes(buffered[:limit])
                del buffered[:limit]
        if done != nbytes:
            raise _unreadable(dataset, "its values are not of the size it declares", f"{done:,} of {nbytes:,} bytes")
        if buffered:
            yield bytes(buffered)

    def stored_nbytes(self, dataset: str) -> int | None:
        """The bytes that the chunks of a dataset take in the file; None where they are inflated on the way, or where
        libhdf5 cannot tell."""
        if self._where[-1] != _NOT_INFLATED:
            return None
        with contextlib.suppress(CheckpointError):
            return scalars.digits(self._answer({"dataset": dataset, "stored": 1}).decode("ascii", "replace"))
        return None

    def close(self) -> None:
        """End the child process, if there is one; reading afterwards is an error."""
        with self._lock:
            self._closed = True
            self._end_child()

    def _answer(self, request: dict[str, str | int]) -> bytes:
        """The answer to a request; a child in an unknown state is ended, and a new one started next time."""
        dataset = str(request["dataset"])
        with self._lock:
            if self._closed:
                raise FileAccessError("the checkpoint is closed", hint="read weights inside the `with` block")
            if self._deaths >= _MOST_DEATHS:
                raise _unreadable(dataset, "its values are not read", "that h5py ended over other values of the file")
            if self._child is None:
                self._child = _Child(self._where)
            try:
                kind, body = self._child.ask(request)
            except _NoAnswerError as error:
                self._deaths += _MOST_DEATHS if error.status == _OUT_OF_TIME else 1
                self._end_child()
                raise _unreadable(dataset, "its values cannot be read", str(error)) from None
            except BaseException:
                self._end_child()
                raise
        if kind != b"D":
            raise _unreadable(dataset, "its values cannot be read", body.decode("utf-8", "replace"))
        return body

    def _end_child(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.end()


class _NoAnswerError(Exception):
    """The child did not answer; says why. `status` is that of the ended process, 0 where it had not ended."""

    def __init__(self, why: str, status: int = 0) -> None:
        super().__init__(why)
        self.status = status


class _Child:
    """A running child process."""

    def __init__(self, where: list[str | int]) -> None:
        from subprocess import PIPE  # Keras writes no chunks, so that most files need no child

        from ckpttool.io import child_processes

        environment = child_processes.clean_environment(**_SETTINGS)
        self._process = child_processes.start(
            "ckpttool.formats.hdf5.chunk_child", json.dumps(where), environment=environment, stdin=PIPE, stdout=PIPE
        )

    def ask(self, request: dict[str, str | int]) -> tuple[bytes, bytes]:
        """The kind and body of the answer to a request."""
        began = time.monotonic()
        watchdog = threading.Timer(_SILENCE, self._process.kill)
        watchdog.daemon = True
        watchdog.start()
        try:
            self._send(request)
            kind, size = struct.unpack("<cQ", self._take(9))
            return kind, self._take(size)
        except EOFError:
            hung = time.monotonic() - began >= _SILENCE
            if hung:
                raise _NoAnswerError(f"no answer for {_SILENCE:.0f} s") from None
            status = self._process.wait()
            raise _NoAnswerError(f"h5py ended with status {status}", status) from None
        finally:
            watchdog.cancel()

    def end(self) -> None:
        """End the process and close its pipes."""
        self._process.kill()
        self._process.communicate()

    def _send(self, request: dict[str, str | int]) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        with contextlib.suppress(OSError):  # the child is gone: reading its answer raises
            stdin.write(json.dumps(request).encode() + b"\n")
            stdin.flush()

    def _take(self, size: int) -> bytes:
        """Exactly `size` bytes of the answer; `EOFError` where they do not come."""
        stdout = self._process.stdout
        assert stdout is not None
        data = stdout.read(size) if size <= _MAX_FRAME else b""
        if len(data) != size:
            self._process.kill()
            raise EOFError
        return data


def _unreadable(dataset: str, reason: str, actual: str) -> CorruptFileError:
    return CorruptFileError(
        reason, where=dataset, expected="chunks that h5py can put together", found=actual, hint="fetch the file again"
    )
