"""Any view that mutants show to h5py, to zipfile or to a reader that goes from header to header, and not to ckpttool,
or the other way round, is refused or flagged.

`CKPTTOOL_MUTANTS=5000` runs more of them than the few of every run; so does `python -m tests.formats.differential`.
"""

import os
import sys
from collections import Counter

import pytest

from ckpttool.formats import archive
from ckpttool.formats.hdf5.attributes import Attributes
from tests.formats.differential import run
from tests.speeds import is_full

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs limits of POSIX systems")
COUNT = int(os.environ.get("CKPTTOOL_MUTANTS", "100" if is_full() else "50"))


def test_no_difference_passes() -> None:
    """Nothing that readers see differently passes, and a fair share of the mutants is still read the same."""
    cases = run(0, COUNT, seed=1)
    assert [(case.number, case.family, case.done, case.wrong) for case in cases if case.outcome == "wrong"] == []
    outcomes = Counter((case.family, case.outcome) for case in cases)
    assert min(outcomes[family, "same"] for family in ("hdf5", "zip", "json")) > 0
    assert min(outcomes[family, "flagged"] for family in ("hdf5", "zip", "json")) > 0


def test_differences_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the checks of attributes and of archives there are differences that pass, so that the test can fail."""
    monkeypatch.setattr(Attributes, "check", lambda self: None)
    monkeypatch.setattr(archive.zip_views, "ambiguities", lambda *_: ())
    wrong = {case.family for case in run(30, 40, seed=1) if case.outcome == "wrong"}
    assert wrong == {"hdf5", "zip"}
