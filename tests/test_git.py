"""git with ckpttool as its diff: real repositories, set up as the docs say."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import pytest

from tests.samples import FIXTURES

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

Git = Callable[..., str]


@pytest.fixture
def git(tmp_path: Path) -> Git:
    """git in a repository of two commits: a checkpoint that changes, one that goes, one that comes, one renamed."""
    bin_path = tmp_path / "bin"
    bin_path.mkdir()
    command = bin_path / "ckpttool"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ckpttool "$@"\n')
    command.chmod(0o755)
    repository = tmp_path / "repository"
    repository.mkdir()
    settings = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "PYTHONPATH": str(ROOT)}
    environment = {**os.environ, **settings, "PATH": f"{bin_path}{os.pathsep}{os.environ['PATH']}"}

    def run(*arguments: str) -> str:
        names = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main")
        done = subprocess.run(
            ["git", *names, *arguments], cwd=repository, env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    run("init", "--quiet")
    model = (FIXTURES / "keras3/cnn.h5").read_bytes()
    (repository / ".gitattributes").write_text("".join(f"{line}\n" for line in attributes()))
    for name in ("model.h5", "old name.h5"):
        (repository / name).write_bytes(model)
    (repository / "gone.keras").write_bytes((FIXTURES / "keras3/mlp.keras").read_bytes())
    run("add", ".")
    run("commit", "--quiet", "-m", "one")
    with h5py.File(repository / "model.h5", "r+") as file:
        file["model_weights/score/score/kernel"][0, 0] = 7
    (repository / "gone.keras").unlink()
    (repository / "old name.h5").rename(repository / "new name.h5")
    (repository / "come.keras").write_bytes((FIXTURES / "keras3/nested.keras").read_bytes())
    run("add", ".")
    run("commit", "--quiet", "-m", "two")
    return run


def attributes() -> list[str]:
    """The lines that the docs tell to put into .gitattributes."""
    page = (ROOT / "docs" / "git.md").read_text(encoding="utf-8")
    return re.findall(r"^\*\.\S+ diff=ckpttool$", page, re.MULTILINE)


def setting_of(key: str) -> list[str]:
    """The words of the `git config` line for a key that the docs tell."""
    page = (ROOT / "docs" / "git.md").read_text(encoding="utf-8")
    setting = re.search(rf'^git config --global (diff\.ckpttool\.{key}) "?(.*?)"?$', page, re.MULTILINE)
    assert setting is not None
    return [setting[1], setting[2]]


def test_textconv(git: Git) -> None:
    """`git diff` shows the line of the one weight that changed, and whole checkpoints that came or went."""
    git("config", *setting_of("textconv"))
    changed = git("diff", "HEAD~1", "HEAD", "--", "model.h5")
    lines = [line for line in changed.splitlines() if re.match(r"[-+](?![-+])", line)]
    assert [line[0] for line in lines] == ["-", "+"]
    assert all("weight score/kernel: float32 (6, 2)" in line for line in lines)
    assert "max 7" in lines[1]
    whole = git("diff", "HEAD~1", "HEAD")
    assert "+layer block/core: Functional" in whole
    assert "-weight hidden/kernel" in whole
    assert "score/kernel" in git("log", "-p", "-1", "--", "model.h5")


def test_external_diff(git: Git) -> None:
    """As an external diff it tells what changed in numbers, what came, what went, what was renamed; git goes on."""
    git("config", *setting_of("command"))
    out = git("diff", "--ext-diff", "-M", "HEAD~1", "HEAD")
    assert "different: 11 weights compared, 1 changed" in out
    assert "a/model.h5: legacy HDF5 model" in out
    assert "b/model.h5: legacy HDF5 model" in out
    assert "score/kernel" in out
    assert "added: come.keras" in out
    assert "removed: gone.keras" in out


def test_what_is_no_checkpoint(git: Git, tmp_path: Path) -> None:
    """A file that is no checkpoint is told as that, and git goes on."""
    git("config", *setting_of("command"))
    (tmp_path / "repository" / "model.h5").write_text("version https://git-lfs.github.com/spec/v1\nsize 3\n")
    out = git("diff", "--ext-diff")
    assert out.startswith("model.h5: ")
