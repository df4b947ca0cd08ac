"""The speeds of tests, and what the processes of a full run take at once."""

from pathlib import Path

import pytest

from tests.speeds import LIVE, LONG, WHOLE, examples, one_of_each, scope

TESTS = Path(__file__).parent


@pytest.mark.parametrize("name", sorted({*WHOLE, *(each.partition("::")[0] for each in LONG)}))
def test_every_file_that_is_named_is_there(name: str) -> None:
    """No file was renamed without its speed."""
    assert (TESTS / name).is_file()


def test_a_live_file_stays_in_one_process() -> None:
    """All its tests are of one scope; tests of other files are spread one by one."""
    assert {scope(f"tests/{name}::test_{word}[{word}]") for name in LIVE for word in "ab"} == {
        f"tests/{name}" for name in LIVE
    }
    assert scope("tests/io/test_dtypes.py::test_a[1]") == "tests/io/test_dtypes.py::test_a[1]"


def test_a_full_run_is_spread_by_these_scopes(pytestconfig: pytest.Config) -> None:
    """xdist asks for them: its own groups have no effect where pytest reckons the names of tests anew."""
    pytest.importorskip("xdist")
    named = [
        plugin for plugin in pytestconfig.pluginmanager.get_plugins() if hasattr(plugin, "pytest_xdist_make_scheduler")
    ]
    assert any(getattr(plugin, "__file__", None) == str(TESTS / "conftest.py") for plugin in named)


@pytest.mark.parametrize(("speed", "chosen"), [("full", ["ab", "ac"]), ("slow", ["ab", "ac", "cb", "ab"])])
def test_a_sample_has_every_kind(speed: str, chosen: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A full run leaves out cases of which each kind was there before, a slow one leaves out nothing."""
    monkeypatch.setenv("CKPTTOOL_TESTS", speed)
    assert one_of_each(["ab", "ac", "cb", "ab"], kinds=list) == chosen


def test_examples_by_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow run tries all, a full one a quarter, a quick one a twentieth, and never less than five."""
    counts = []
    for speed in ("slow", "full", "quick"):
        monkeypatch.setenv("CKPTTOOL_TESTS", speed)
        counts.append((examples(300), examples(9)))
    assert counts == [(300, 9), (75, 5), (15, 5)]
