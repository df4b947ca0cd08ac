"""Fixtures and options that all tests share: the folder of fixtures, the command line as a function, golden files."""

import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from ckpttool.cli import main
from tests import keras_by_hand
from tests.children import children
from tests.corpus import ADVERSARIAL
from tests.samples import FIXTURES
from tests.speeds import BY_HAND, FRAMEWORKS, LIVE, LIVE_TESTS, LONG, ON_TENSORFLOW, is_full, scope

# A busy machine is no fault of the code, and where others wait for a run it must not depend on luck.
settings.register_profile("full", deadline=None, derandomize="CI" in os.environ)
settings.register_profile("quick", settings.get_profile("full"), max_examples=20)

TESTS = Path(__file__).parent
GOLDEN = TESTS / "golden"
LEFT_OUT = LONG + LIVE_TESTS + ON_TENSORFLOW


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds `--full`, `--update-golden` and `--slow`."""
    parser.addoption("--full", action="store_true", help="also what asks live Keras or takes long: see tests/speeds.py")
    parser.addoption("--update-golden", action="store_true", help="write tests/golden anew instead of comparing")
    parser.addoption(
        "--slow", action="store_true", help="what is large or slow to make, and cases that are much alike, too"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Chooses the speed of the run, and hands signals on to child processes as a terminal does.

    The garbage collector sleeps until all tests are there, but in a process that hands them to others.
    """
    if hasattr(config, "workerinput") or config.getoption("dist", "no") == "no":
        gc.disable()
    # TensorFlow convolves channels_first on a CPU by oneDNN alone, which it leaves off where AVX-512 is missing.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    full = config.getoption("--full")
    os.environ["CKPTTOOL_TESTS"] = ("slow" if config.getoption("--slow") else "full") if full else "quick"
    settings.load_profile("full" if full else "quick")
    if not full:
        keras_by_hand.hide()
    _hand_signals_on()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leaves out the files that ask live Keras throughout, unless the run is a full one."""
    return True if _name(collection_path) in LIVE and not config.getoption("--full") else None


def _name(path: Path) -> str:
    """The name of a file as tests/speeds.py lists it."""
    return path.relative_to(TESTS).as_posix() if path.is_relative_to(TESTS) else ""


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    """Shows Keras to the files that drive it by hand, in a quick run."""
    if _name(module_path) not in BY_HAND or parent.config.getoption("--full"):
        return None
    module: pytest.Module = keras_by_hand.ByHand.from_parent(parent, path=module_path)
    return module


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """Shows Keras to the tests of these files, and to no others."""
    with keras_by_hand.shown() if item.getparent(keras_by_hand.ByHand) else nullcontext():
        return (yield)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what takes long, unless the run is a full one."""
    if config.getoption("--full"):
        return
    left_out = [item for item in items if item.nodeid.removeprefix("tests/").startswith(LEFT_OUT)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def pytest_collection_finish() -> None:
    """Wakes the garbage collector, which leaves alone what is there now: fifteen thousand tests are no garbage."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keeps files of a full run whole, for `--dist loadgroup`; the groups of xdist 3.8 have no effect on pytest 9."""
    if not config.getoption("--full") or config.getoption("dist") != "loadgroup":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):  # type: ignore[misc, unused-ignore]
        def _split_scope(self, nodeid: str) -> str:
            return scope(nodeid)

    return Scheduling(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None]:
    """Skips a test whose fixtures ask live Keras, in a quick run."""
    with _skipped_without_frameworks():
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None]:
    """Skips a test that asks live Keras, in a quick run."""
    with _skipped_without_frameworks():
        yield


@contextmanager
def _skipped_without_frameworks() -> Generator[None]:
    try:
        yield
    except ImportError as error:
        if is_full() or not any(name in str(error) for name in FRAMEWORKS):
            raise
        pytest.skip(f"asks live Keras: {error}")


def _hand_signals_on() -> None:
    """A job in the background, or under `nohup`, ignores some signals, and its children with it. A handler that does
    nothing is not handed on; here they stay without effect."""
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


@pytest.fixture(scope="session", autouse=True)
def no_child_left() -> Generator[None]:
    """Fails at the end of a run, in each process of it, where a child that a test has started still runs."""
    before = children()
    yield
    gc.collect()  # readers end their children when they are forgotten
    for _ in range(100):  # one that was killed takes a moment to end
        left = [child for child in children() if child not in before]
        if not left:
            return
        time.sleep(0.1)
    pytest.fail("\n".join(["children of tests still run:", *left]))


@pytest.fixture(scope="session")
def hostile(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of hostile checkpoints and their manifest, made once for all tests of a process."""
    folder = tmp_path_factory.mktemp("hostile") / "cases"
    fast = [] if request.config.getoption("--slow") else ["--fast"]
    command = [sys.executable, str(ADVERSARIAL), str(folder), *fast, "--marker", str(folder.parent / "MARKER")]
    subprocess.run(command, check=True, capture_output=True)
    return folder


@dataclass(frozen=True)
class Outcome:
    """The outcome of one run of the command line."""

    code: int
    out: str
    err: str


@pytest.fixture
def fixtures() -> Path:
    """The folder of committed checkpoints."""
    return FIXTURES


@pytest.fixture(autouse=True)
def unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps Keras, which takes seconds to start, from being run by tests that do not ask for it."""
    monkeypatch.setattr("ckpttool.conversion.prove.keras_run.SMALL", -1)


@pytest.fixture(autouse=True, scope="session")
def unsynced() -> Generator[None]:
    """Leaves out the wait for the disk, which takes longer than many a test: none of them survives a power cut."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda file: None)
        yield


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """Runs `ckpttool` with some arguments; gives exit code, standard output and standard error apart."""
    monkeypatch.delenv("NO_COLOR", raising=False)

    def runner(*args: object) -> Outcome:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(arg) for arg in args], prog_name="ckpttool")
        out, err = capsys.readouterr()
        return Outcome(ended.value.code or 0, out, err)  # type: ignore[arg-type]

    return runner


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compares a text with the golden file of a name, or writes it where `--update-golden` is given."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
        assert path.exists(), f"{path.name} is not there; pytest --update-golden writes it"
        assert text == path.read_text(encoding="utf-8")

    return compare
