"""The two speeds of tests, and what the processes of a full run take at once."""

from pathlib import Path

import pytest

from tests.speeds import LIVE, LONG, WHOLE, scope

TESTS = Path(__file__).parent


@pytest.mark.parametrize("name", sorted({*WHOLE, *(each.partition("::")[0] for each in LONG)}))
def test_every_file_that_is_named_is_there(name: str) -> None:
    """No file was renamed without its speed."""
    assert (TESTS / name).is_file()


def test_a_live_file_stays_in_one_process() -> None:
    """All its tests are of one scope; tests of other files are spread one by one."""
    assert {scope(f"tests/{name}::test_{word}[{word}]") for name in LIVE for word in "ab"} == {
        f"tests/{n}" for n in LIVE
    }
    assert scope("tests/io/test_dtypes.py::test_a[1]") == "tests/io/test_dtypes.py::test_a[1]"


def test_a_full_run_is_spread_by_these_scopes(pytestconfig: pytest.Config) -> None:
    """xdist asks for them: its own groups have no effect where pytest reckons the names of tests anew."""
    pytest.importorskip("xdist")
    named = [
        plugin for plugin in pytestconfig.pluginmanager.get_plugins() if hasattr(plugin, "pytest_xdist_make_scheduler")
    ]
    assert any(getattr(plugin, "__file__", None) == str(TESTS / "conftest.py") for plugin in named)
