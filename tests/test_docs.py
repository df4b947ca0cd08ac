"""The console blocks of the documentation are what ckpttool really prints; `pytest --update-golden` renews them."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from ckpttool.cli import COMMANDS, main
from tests import module_index

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NEEDS_SHELL = re.compile(r"^(?!ckpttool )|[|&;<>*?$~]|^ckpttool convert")  # what is converted may be run by Keras
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands(block: str) -> list[str]:
    """The commands in a console block."""
    return [line[2:] for line in block.splitlines() if line.startswith("$ ")]


def rerun(block: str) -> str:
    """The block as it should be: each command, what it prints, errors included, and its exit code if not 0."""
    lines = []
    for command in commands(block):
        text, code = (by_shell if NEEDS_SHELL.search(command) else in_this_process)(command)
        lines += [f"$ {command}", *text.rstrip("\n").splitlines()]
        lines += [f"[exit code {code}]"] if code else []
    return "\n".join(line.rstrip() for line in lines) + "\n"


def by_shell(command: str) -> tuple[str, int]:
    """The output of a line of a shell, in which ckpttool is a process of its own, and its exit code."""
    line = f'ckpttool() {{ "{sys.executable}" -m ckpttool "$@"; }}; {command}'
    done = subprocess.run(["bash", "-c", line], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.stdout, done.returncode


def in_this_process(command: str) -> tuple[str, int]:
    """The output of a command of ckpttool in the current directory, and its exit code."""
    done = CliRunner().invoke(main, shlex.split(command)[1:], prog_name="ckpttool")
    return done.output, done.exit_code


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_console_blocks_show_what_is_printed(
    page: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command in a console block prints what stands below it."""
    monkeypatch.chdir(ROOT)
    text = page.read_text(encoding="utf-8")
    renewed = BLOCK.sub(lambda match: f"```console\n{rerun(match[1])}```", text)
    if request.config.getoption("--update-golden"):
        page.write_text(renewed, encoding="utf-8")
    assert renewed == page.read_text(encoding="utf-8")


RUN = """
import json, os, sys
for directory, code in json.loads(sys.argv[1]):
    for name in [name for name in sys.modules if name.partition(".")[0] == "ckpttool"]:
        del sys.modules[name]
    os.chdir(directory)
    exec(compile(code, directory, "exec"), {"__name__": "__main__"})
    print(directory)
"""


def test_python_blocks_run(tmp_path: Path) -> None:
    """Every Python block runs as it stands, one after the other, in a directory with the fixtures for each page.

    One process imports Keras for all; what a block imports or names is not there for the next.
    """
    blocks = list[tuple[str, str]]()
    for page in PAGES:
        directory = tmp_path / page.stem
        directory.mkdir()
        (directory / "fixtures").symlink_to(ROOT / "fixtures")
        blocks += [(str(directory), block) for block in PYTHON.findall(page.read_text(encoding="utf-8"))]
    command = [sys.executable, "-c", RUN, json.dumps(blocks)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert [line for line in done.stdout.splitlines() if line.startswith(str(tmp_path))] == [
        place for place, _ in blocks
    ]


def test_every_command_is_documented() -> None:
    """The guide shows each command, and each command's help has an example."""
    guide = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
    for name in COMMANDS:
        assert f"$ ckpttool {name} " in guide
        assert "Example" in CliRunner().invoke(main, [name, "--help"]).stdout


def test_the_index_of_modules_is_true() -> None:
    """docs/architecture.md lists every module with its first line; `python -m tests.module_index` writes it."""
    text = module_index.PAGE.read_text("utf-8")
    assert text == module_index.page(text)


def test_examples_for_contributors_are_the_code() -> None:
    """Every Python block of CONTRIBUTING.md is in the file that its first line names, paragraph by paragraph."""
    blocks = PYTHON.findall((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    assert len(blocks) > 5
    for block in blocks:
        place, _, code = block.partition("\n")
        source = (ROOT / place.removeprefix("# ")).read_text(encoding="utf-8")
        assert not [part for part in code.strip("\n").split("\n\n") if part.strip("\n") not in source]
