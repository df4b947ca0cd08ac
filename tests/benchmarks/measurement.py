"""The time that commands take as whole processes, and their memory."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True)
class Command:
    """A command, how many lines it prints at least (one that prints fewer has not done its work), and its exit code."""

    title: str
    argv: tuple[str, ...]
    lines: int = 0
    code: int = 0


@dataclass(frozen=True)
class Measurement:
    """One finished run: wall time, processor time, both in seconds, and the peak of resident memory in bytes.

    On Linux a process inherits the peak of the one that started it, so this one must stay small: it imports neither
    h5py nor NumPy nor Keras.
    """

    seconds: float
    processor: float
    peak: int


def in_turn(commands: Sequence[Command], runs: int, bytecode: Path) -> list[list[Measurement]]:
    """The measurements of every command: A B A B ..., after one run of each that does not count."""
    settings = _settings(bytecode)
    for command in commands:
        run(command, settings)
    rounds = [[run(command, settings) for command in commands] for _ in range(runs)]
    return [list(measurements) for measurements in zip(*rounds, strict=True)]


def _settings(bytecode: Path) -> dict[str, str]:
    """The environment: Keras on its default backend, and bytecode kept between runs as for installed packages."""
    inherited = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return {
        "KERAS_BACKEND": "tensorflow",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        **inherited,
        "PYTHONPYCACHEPREFIX": str(bytecode),
    }


def run(command: Command, settings: dict[str, str]) -> Measurement:
    """Runs a command once; raises where it fails or prints too little."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as complaints:
        begun = time.perf_counter()
        child = subprocess.Popen(
            command.argv, cwd=ROOT, env=settings, stdin=subprocess.DEVNULL, stdout=output, stderr=complaints
        )
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - begun
        child.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        complaints.seek(0)
        printed = sum(1 for _ in output)
        if child.returncode != command.code or printed < command.lines:
            complaint = complaints.read().decode("utf-8", "replace")[-2000:]
            raise RuntimeError(f"{command.title}: exit code {child.returncode}, {printed:,} lines\n{complaint}")
    return Measurement(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * _RSS_UNIT)
