"""The ends of commands that the system fails: a broken output, too little of something, a signal."""

import itertools
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.samples import FIXTURES
from tests.speeds import is_slow

ROOT = Path(__file__).parents[2]
MODEL, OLD, CHUNKED = (
    FIXTURES / name for name in ("keras3/mlp.keras", "keras2.15/mlp.h5", "keras3/chunked.weights.h5")
)
WEIGHTS = FIXTURES / "keras3/mlp.weights.h5"
COMMANDS = {
    "ls": f"ls {MODEL}",
    "stats": f"ls {CHUNKED} --stats",
    "info": f"info {MODEL}",
    "diff": f"diff {MODEL} {OLD}",
    "verify": f"verify {WEIGHTS} {MODEL}",
    "spec": f"spec {MODEL}",
    "convert": f"convert {OLD} new.keras --force --no-prove",
    "check": f"check {MODEL} {WEIGHTS}",
    "jobs": f"check {MODEL} {WEIGHTS} --jobs 2",
    "textconv": f"textconv {MODEL}",
    "rule": "rule --all",
    "help": "--help",
    "help of ls": "ls --help",
    "version": "--version",
}
CLOSED = set(COMMANDS) if is_slow() else {"ls", "stats", "convert", "check", "jobs", "rule", "help", "version"}
pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a shell and devices of Linux")


def run(command: str, directory: Path, before: str = "", behind: str = "") -> "subprocess.CompletedProcess[str]":
    """A command run by a shell, which does something before it, and has redirections behind it."""
    line = f"{before} {shlex.quote(sys.executable)} -m ckpttool {command} {behind}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(["/bin/sh", "-c", line], cwd=directory, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("name", COMMANDS)
def test_an_output_that_cannot_be_written(name: str, tmp_path: Path) -> None:
    """A full standard output is one line on standard error and exit code 2, of every command; so is a closed one, of
    each that ends in a way of its own."""
    for behind in (">/dev/full", ">&-") if name in CLOSED else (">/dev/full",):
        process = run(COMMANDS[name], tmp_path, behind=behind)
        assert (process.returncode, process.stderr.count("\n")) == (2, 1), process.stderr
        assert process.stderr.startswith("error: ")
    if name in CLOSED:
        assert run(COMMANDS[name], tmp_path, behind="<&- >&- 2>&-").returncode == 2


@pytest.mark.parametrize("name", COMMANDS)
def test_nobody_reads(name: str, tmp_path: Path) -> None:
    """A command whose standard output nobody reads any more ends with code 2, and says nothing."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "ckpttool", *shlex.split(COMMANDS[name])]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.run(command, cwd=tmp_path, env=environment, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert (process.returncode, process.stderr) == (2, b"")


@pytest.mark.parametrize("name", ["ls", "check", "help"])
def test_a_standard_error_that_cannot_be_written(name: str, tmp_path: Path) -> None:
    """Costs nothing where all goes well, and no exit code where something does not."""
    for behind in ("2>/dev/full", "2>&-"):
        assert run(COMMANDS[name], tmp_path, behind=behind).returncode == 0
    assert run("ls nothing", tmp_path, behind="2>/dev/full").returncode == 2


@pytest.mark.parametrize("name", ["stats", "diff", "convert", "check", "jobs", "help"])
def test_a_directory_that_is_gone(name: str, tmp_path: Path) -> None:
    """A command that needs the current directory says that it has been removed; others do their work."""
    removed = tmp_path / "gone"
    removed.mkdir()
    process = run(COMMANDS[name].replace("new.keras", str(tmp_path / "new.keras")), removed, before=f"rmdir {removed};")
    message = "error: the current directory has been removed; change to one that is there\n"
    assert (process.returncode, process.stderr) == ((2, message) if name in ("check", "jobs") else (0, ""))


LIMITS = ("-n 8", "-n 20", "-v 60000", "-v 120000", "-v 250000")
SCARCE = list(itertools.product(("stats", "diff", "convert", "check", "jobs", "textconv"), LIMITS))


# Limits take turns with commands; each command meets few descriptors and little memory.
@pytest.mark.parametrize(("name", "limit"), SCARCE[:: 1 if is_slow() else 2])
def test_too_little(name: str, limit: str, tmp_path: Path) -> None:
    """With few descriptors or little memory a command does its work, or ends with one line and exit code 2."""
    process = run(COMMANDS[name], tmp_path, before=f"ulimit {limit};")
    assert process.returncode in (0, 2)
    assert "Traceback" not in process.stdout + process.stderr
    if name != "jobs":
        assert process.stderr.count("\n") == (1 if process.returncode else 0), process.stderr


_WAITING = """
import signal, sys, time
for name in sys.argv[1].split():
    signal.signal(getattr(signal, name), signal.SIG_IGN)
from ckpttool.conversion import pipeline
from ckpttool.cli import main
prove = pipeline._prove
def waiting(*arguments):
    print("written", flush=True)
    time.sleep(float(sys.argv[2]))
    prove(*arguments)
pipeline._prove = waiting
main(sys.argv[3:], prog_name="ckpttool")
"""


def interrupted(directory: Path, number: int, ignored: str, seconds: float) -> tuple[int, str]:
    """The exit code of a conversion to which a signal is sent before it is done, and what it said."""
    command = [sys.executable, "-c", _WAITING, ignored, str(seconds), "convert", str(OLD), "new.keras", "--no-prove"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, cwd=directory, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        process.stdout.readline()
        process.send_signal(number)
        errors = process.communicate()[1]
    return process.returncode, errors


@pytest.mark.parametrize("name", ["SIGINT", "SIGHUP", "SIGTERM"])
def test_a_signal_ends_a_conversion(name: str, tmp_path: Path) -> None:
    """With 128 and its number, and nothing is left behind."""
    number = getattr(signal, name)
    assert interrupted(tmp_path, number, "", 60) == (128 + number, "error: interrupted\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["SIGINT", "SIGHUP"])
def test_an_ignored_signal_stays_ignored(name: str, tmp_path: Path) -> None:
    """As `nohup` has it, and a shell for what its scripts start in the background."""
    assert interrupted(tmp_path, getattr(signal, name), name, 1) == (0, "")
    assert [path.name for path in tmp_path.iterdir()] == ["new.keras"]


def test_reports_into_streams(tmp_path: Path) -> None:
    """A report that is sent to /dev/stdout comes there, in front of the rest, whatever that is."""
    for behind in ("", ">all", "| cat"):
        process = run(f"check {MODEL} --output-file /dev/stdout", tmp_path, behind=behind)
        text = (tmp_path / "all").read_text() if behind == ">all" else process.stdout
        assert (process.returncode, text) == (0, "clean: 1 checkpoint\n" * 2)
    process = run(f"spec {MODEL} -o /dev/fd/1", tmp_path)
    assert (process.returncode, process.stdout) == (0, run(f"spec {MODEL}", tmp_path).stdout)


@pytest.mark.parametrize("form", ["keras", "weights-h5", "legacy-h5", "sharded"])
def test_checkpoints_go_into_files(form: str, tmp_path: Path) -> None:
    """A device, a FIFO, an open descriptor or a link to nothing is refused, also with --force, and stays; a link to a
    file stays one, and that file is replaced."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "dangling").symlink_to("nowhere")
    for target in ("/dev/null", "fifo", "dangling", "/dev/stdout"):
        process = run(f"convert {OLD} {target} --to {form} --force --no-prove", tmp_path)
        assert (process.returncode, process.stdout, "Traceback" in process.stderr) == (2, "", False), target
        assert "--force replaces" not in process.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"fifo", "dangling"}
    if form != "sharded":
        (tmp_path / "real").write_bytes(b"old")
        (tmp_path / "link").symlink_to("real")
        assert run(f"convert {OLD} link --to {form} --force --no-prove", tmp_path).returncode == 0
        assert (tmp_path / "link").is_symlink()
        assert run("info real", tmp_path).returncode == 0


@pytest.mark.parametrize("name", ["x" * 249 + ".keras", "\u4e2d" * 83 + ".keras", "\U0001f600" * 61 + ".weights.h5"])
def test_long_names(name: str, tmp_path: Path) -> None:
    """A conversion can be put under any name that the system takes."""
    process = run(f"convert {OLD} {name} --no-prove", tmp_path)
    assert process.returncode == 0, process.stderr
    assert run(f"check {name}", tmp_path).returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == [name]
