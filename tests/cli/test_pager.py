"""The pager and a directory that is followed, in this process; test_terminal.py has whole commands on a terminal."""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click
import pytest

from ckpttool.cli import pager, watch
from ckpttool.cli.exits import Interrupted
from ckpttool.manifest import NAME, read_manifest, write_manifest
from tests.cli.test_terminal import CNN, save

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def low_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of five rows, and no pager of the user's own."""
    monkeypatch.setenv("LINES", "5")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("PAGER", raising=False)
    monkeypatch.delenv("LESS", raising=False)


FITS, LONG = "\n".join("abc"), "\n".join("abcde")


@pytest.mark.usefixtures("low_terminal")
def test_what_does_not_fit_is_paged(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text that leaves no row for the prompt is paged, unless PAGER is nothing or `cat`."""
    assert (pager.is_wanted(FITS + "\nd"), pager.is_wanted(LONG)) == (False, True)
    for name, wanted in (("", False), ("cat", False), ("more", True)):
        monkeypatch.setenv("PAGER", name)
        assert pager.is_wanted(LONG) is wanted


@pytest.mark.usefixtures("low_terminal")
@pytest.mark.parametrize("start", ["<!DOCTYPE html>", "<svg width='1'>"])
def test_pages_and_pictures_are_printed(start: str) -> None:
    """A page or a picture is for other programs."""
    assert not pager.is_wanted(f"{start}\n{LONG}")


@pytest.mark.usefixtures("low_terminal")
@pytest.mark.parametrize("refused", [True, False])
def test_the_option_of_the_whole_command_counts(refused: bool) -> None:
    """`--no-pager` stands in front of the command, in the context around its own."""
    around = click.Context(click.Command("ckpttool"))
    around.params["no_pager"] = refused
    with click.Context(click.Command("ls"), parent=around):
        assert pager.is_wanted(LONG) is not refused


@pytest.mark.usefixtures("low_terminal")
def test_a_text_is_shown_once(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    """A long text goes to the pager, which gets git's settings of `less` unless the user has some; a short one not."""
    paged = list[tuple[str, bool]]()
    monkeypatch.setattr(pager.click, "echo_via_pager", lambda text, color: paged.append((text, color)))
    pager.show(FITS)
    assert (paged, capsys.readouterr().out) == ([], f"{FITS}\n")
    monkeypatch.setenv("LESS", "S")
    pager.show(LONG)
    assert (paged, os.environ["LESS"], capsys.readouterr().out) == ([(LONG, True)], "S", "")
    monkeypatch.delenv("LESS")
    pager.show(LONG)
    assert os.environ["LESS"] == "FRX"


def following(
    directory: Path, monkeypatch: pytest.MonkeyPatch, *steps: Callable[[], object], end: BaseException | None = None
) -> None:
    """Follow a directory in which one step is done each second, until the user interrupts."""
    remaining = iter(steps)

    def sleep(seconds: float) -> None:
        step = next(remaining, None)
        if step is None:
            raise end or KeyboardInterrupt
        step()

    monkeypatch.setattr(watch.time, "sleep", sleep)
    watch.follow(directory, lambda: " ".join(sorted(path.name for path in directory.glob("*.keras"))) or "nothing")


def arrive(directory: Path, name: str) -> None:
    """Put a whole checkpoint into a directory at once."""
    shutil.copy(CNN, directory / f".{name}")
    (directory / f".{name}").rename(directory / name)


def test_a_table_is_shown_when_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    """A directory without checkpoints is waited for; each change that the table shows is shown once."""
    steps = [
        lambda: arrive(tmp_path, "a.keras"),
        lambda: None,
        lambda: (tmp_path / "notes.txt").write_text("no checkpoint"),
        lambda: arrive(tmp_path, "b.keras"),
        lambda: (tmp_path / "a.keras").unlink(),
    ]
    following(tmp_path, monkeypatch, *steps)
    out, err = capsys.readouterr()
    assert out == "nothing\na.keras\na.keras b.keras\nb.keras\n"
    assert err == f"waiting for the first checkpoint in {tmp_path}; Ctrl-C ends it\n\n"


def test_saves_are_said_by_the_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    """An entry that is new is said with epoch, batch and metric, each once; files beside the manifest are not waited
    for, and a broken manifest is followed by the next."""
    arrive(tmp_path, "a.keras")
    sound = list[bytes]()

    def with_batch() -> None:
        save(tmp_path, "c.keras", 1200, 0.25)
        manifest = read_manifest(tmp_path)
        last = replace(manifest.saved[-1], batch=1500, value=None, sha256="0" * 64)
        write_manifest(tmp_path, manifest.with_saved(last), "0")

    def break_it() -> None:
        sound.append((tmp_path / NAME).read_bytes())
        (tmp_path / NAME).write_bytes(b"{")

    def mend_it() -> None:
        (tmp_path / "whole").write_bytes(sound[0])
        (tmp_path / "whole").replace(tmp_path / NAME)

    steps = [
        lambda: save(tmp_path, "b.keras", 1, 0.5),
        lambda: arrive(tmp_path, "x.keras"),
        with_batch,
        break_it,
        mend_it,
    ]
    following(tmp_path, monkeypatch, *steps)
    out, err = capsys.readouterr()
    assert out == "a.keras\na.keras b.keras\na.keras b.keras c.keras x.keras\n"
    assert err == "saved b.keras: epoch 1, val_loss 0.5\nsaved c.keras: epoch 1,200, batch 1,500\n\n"


def test_a_directory_that_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    """A directory that is removed has nothing in it, and is followed on."""
    place = tmp_path / "runs"
    place.mkdir()
    arrive(place, "a.keras")
    following(place, monkeypatch, lambda: shutil.rmtree(place), place.mkdir, lambda: arrive(place, "b.keras"))
    assert capsys.readouterr().out == "a.keras\nnothing\nb.keras\n"


def test_other_signals_end_it_as_they_end_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C is how a watch ends; SIGTERM is not."""
    arrive(tmp_path, "a.keras")
    following(tmp_path, monkeypatch, end=Interrupted(2))
    with pytest.raises(Interrupted) as ended:
        following(tmp_path, monkeypatch, end=Interrupted(15))
    assert ended.value.code == 143


def test_a_terminal_is_cleared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    """On a terminal the table takes the place of the one before."""
    arrive(tmp_path, "a.keras")
    monkeypatch.setattr(watch.sys.stdout, "isatty", lambda: True)
    following(tmp_path, monkeypatch)
    assert capsys.readouterr().out == "\x1b[H\x1b[2Ja.keras\n"
