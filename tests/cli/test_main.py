"""The command line as a whole: help, version, exit codes, interrupted and broken ends."""

import gc
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ckpttool
from ckpttool.cli import COMMANDS
from tests.samples import FIXTURES
from tests.speeds import is_full

ROOT = Path(__file__).parents[2]
MODEL = FIXTURES / "keras3/mlp.keras"


@pytest.mark.parametrize("args", [[], *([name] for name in COMMANDS)], ids=lambda args: " ".join(args) or "main")
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help(args: list[str], flag: str, run: Callable[..., Any]) -> None:
    """Help goes to standard output with exit code 0, and shows an example that names the command."""
    outcome = run(*args, flag)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("Usage: ckpttool")
    example = outcome.out.partition("Example")[2]
    assert f"ckpttool {args[0]} " in example if args else "ckpttool ls" in example


def test_help_names_every_command_and_exit_code(run: Callable[..., Any]) -> None:
    """The help of the whole names each command with a sentence, and what the exit codes mean."""
    text = run("--help").out
    for name in COMMANDS:
        assert re.search(rf"^  {name} +[A-Z].*\.$", text, re.MULTILINE)
    assert re.search(r"0 .*1 .*2 ", text.replace("\n", " "))


def test_version(run: Callable[..., Any]) -> None:
    """The version is the package's own, installed or not."""
    outcome = run("--version")
    assert (outcome.code, outcome.out, outcome.err) == (0, f"ckpttool {ckpttool.__version__}\n", "")


@pytest.mark.parametrize(
    "args",
    [
        ["nothing"],
        ["ls"],
        ["info"],
        ["info", str(MODEL), str(MODEL)],
        ["ls", str(MODEL), "--nothing"],
        ["ls", str(MODEL), "--depth", "0"],
        ["ls", str(MODEL), "--depth", "x"],
        ["ls", str(MODEL), "--output", "xml"],
        ["ls", str(MODEL), "--sort", "colour"],
        ["ls", str(MODEL), "--section", "nothing"],
        ["ls", str(MODEL), "--color", "perhaps"],
        ["info", str(MODEL), "--output", "csv"],
        ["--nothing"],
    ],
    ids=" ".join,
)
def test_wrong_usage(args: list[str], run: Callable[..., Any]) -> None:
    """Wrong usage is exit code 2, told on standard error alone, with what would be right."""
    outcome = run(*args)
    assert (outcome.code, outcome.out) == (2, "")
    assert "Error: " in outcome.err
    assert "Traceback" not in outcome.err


def test_no_command(run: Callable[..., Any]) -> None:
    """Without a command the help is shown, and it is no success."""
    outcome = run()
    assert outcome.code == 2
    assert "Usage: ckpttool" in outcome.out + outcome.err


def test_bug_shows_its_traceback(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of ckpttool itself is not dressed up as one of the file."""
    monkeypatch.setattr("ckpttool.cli.info.describe", lambda *arguments: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        run("info", MODEL)


def test_interrupted(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupt is told in a word, without traceback, and is no success and no difference."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    for place, args in (("info.describe", ["info", MODEL]), ("ls.list_checkpoint", ["ls", MODEL, "--stats"])):
        monkeypatch.setattr(f"ckpttool.cli.{place}", interrupt)
        outcome = run(*args)
        assert (outcome.code, outcome.out, outcome.err) == (2, "", "error: interrupted\n")


def ckpttool_process(*args: str, **more: Any) -> subprocess.CompletedProcess[bytes]:
    """`ckpttool` in a process of its own."""
    command = [sys.executable, "-W", "error", "-m", "ckpttool", *args]
    return subprocess.run(command, cwd=ROOT, check=False, stderr=subprocess.PIPE, **more)


@pytest.mark.skipif(os.name == "nt", reason="Windows tells a closed pipe in another way")
@pytest.mark.parametrize(
    "args",
    [["ls", str(MODEL)], ["--help"], *([["info", str(MODEL)], ["ls", str(FIXTURES / "keras3")]] if is_full() else [])],
)
def test_reader_that_went_away(args: list[str]) -> None:
    """A command whose output nobody reads any more ends without a traceback and without complaint."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        process = ckpttool_process(*args, stdout=writer)
    finally:
        os.close(writer)
    assert b"Traceback" not in process.stderr
    assert b"BrokenPipe" not in process.stderr
    assert b"Exception ignored" not in process.stderr


@pytest.mark.skipif(not Path("/bin/sh").exists(), reason="needs a shell")
def test_head() -> None:
    """`ckpttool ls ... | head -1` gives the first line and nothing on standard error."""
    command = f'"{sys.executable}" -m ckpttool ls "{FIXTURES / "keras3/wrappers.keras"}" -o json | head -1'
    process = subprocess.run(["/bin/sh", "-c", command], cwd=ROOT, capture_output=True, check=False)
    assert (process.stdout, process.stderr) == (b"{\n", b"")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"] if is_full() else ["ascii", "cp1252"])
def test_output_encodings(encoding: str) -> None:
    """Names and lines that the output's encoding lacks are escaped; none is fatal, none is lost."""
    for args in (
        ["ls", "fixtures/keras3/unicode_names.keras", "--tree"],
        ["info", "fixtures/keras3/unicode_names.keras"],
    ):
        process = ckpttool_process(*args, stdout=subprocess.PIPE, env={**os.environ, "PYTHONIOENCODING": encoding})
        assert (process.returncode, process.stderr) == (0, b"")
        assert process.stdout.decode(encoding)
        if encoding == "ascii" and args[0] == "ls":
            assert b"gr\\xf6\\xdfe" in process.stdout


def test_python_dash_m() -> None:
    """`python -m ckpttool` is the command, by its name."""
    process = ckpttool_process("--help", stdout=subprocess.PIPE)
    assert process.stdout.startswith(b"Usage: ckpttool ")
    process = ckpttool_process("ls", "fixtures/broken/empty.h5", stdout=subprocess.PIPE)
    assert (process.returncode, process.stdout) == (2, b"")
    assert process.stderr.startswith(b"error: fixtures/broken/empty.h5: is empty")


def test_the_module_is_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """`python -m ckpttool` runs the command under its name, and searches for few cycles, none of them at the end."""
    from ckpttool import __main__ as module

    done = list[Any]()
    monkeypatch.setattr(module.gc, "set_threshold", done.append)
    monkeypatch.setattr(module.atexit, "register", done.append)
    monkeypatch.setattr("ckpttool.cli.main", lambda **named: done.append(named))
    module.main()
    assert done == [50_000, gc.freeze, {"prog_name": "ckpttool"}]
