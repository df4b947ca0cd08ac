"""The answers of `verify` on a checkpoint and an architecture, against Keras, which loads the one into the other.

Keras is asked with live models whose weights are known, and whether it loaded rightly is judged by their values.
"""

import re
from collections import Counter
from typing import Any

import pytest

import ckpttool
from tests.live import keras as live_keras
from tests.speeds import is_slow, one_of_each
from tests.verification.oracle import Outcome, Prepared, Workshop
from tests.verification.pairs import PAIRS, Pair
from tests.verification.stored import PATHS

keras: Any = live_keras()
pytestmark = pytest.mark.filterwarnings("ignore")

# How many pairs at least Keras loads right, refuses, and loads wrongly or in part without a word.
LEAST = {"right": 150, "raises": 150, "wrong": 40}
LEFT = ("MISSING", "SHAPE", "SKIPPED")
EXPECTED = {"raises": {"raises"}, "right": {"loads"}, "renamed": {"loads", "loads wrongly"}, "wrong": {"loads wrongly"}}


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """The maker of files and models, each once."""
    return Workshop(keras, tmp_path_factory.mktemp("pairs"))


def kinds(pair: Pair) -> list[tuple[str, ...]]:
    """The kinds of a pair: the edit of its model, that of its file, the file's other name, each in a format; the model,
    the other file."""
    by = str(pair.by_name)
    file = "" if pair.file == pair.model else pair.file
    edits = [("model", pair.target), ("file", pair.edit), ("name", pair.named)]
    return [(*edit, pair.form, by) for edit in edits] + [(pair.model, by), (file, pair.model)]


# Of the twelve random models a full run asks four.
RANDOM = r"random-([4-9]|1\d)"
ASKED = one_of_each((pair for pair in PAIRS if is_slow() or not re.match(RANDOM, pair.model)), kinds)


@pytest.mark.parametrize("pair", ASKED, ids=str)
def test_verify_says_what_keras_does(workshop: Workshop, pair: Pair) -> None:
    """A pair that Keras raises on is named as such; one that it loads right is accepted, one that it loads wrongly is
    not."""
    outcome = workshop.outcome(pair)
    prepared = workshop.prepared(pair)
    result = _verified(prepared, pair)
    if isinstance(result, ckpttool.CheckpointError):  # a file that cannot be read has no result
        assert outcome.kind == "raises" or not prepared.target.weights, result
        return
    message = _message(outcome, result)
    if result.opaque and result.verdict == "cannot tell":  # a layer that loads in its own way
        assert (pair.model, pair.form in PATHS, result.ok) == ("odd-loader", True, False), message
        return
    assert (result.keras == "raises") == (outcome.kind == "raises"), message
    assert (result.verdict == "loads") == result.ok, message
    if outcome.kind == "raises":
        assert not result.ok, message
    if outcome.kind == "right":
        assert result.verdict == ("loads" if prepared.target.weights else "cannot tell"), message
    if outcome.wrong:
        assert not result.ok, message
    if not outcome.unproved or outcome.wrong:
        assert result.keras in EXPECTED[outcome.kind], message


def _verified(prepared: Prepared, pair: Pair, skip_mismatch: bool = False) -> Any:
    """The result of verifying, or the error that it ended in."""
    by = "name" if pair.by_name else "auto"
    try:
        return ckpttool.verify(prepared.checkpoint, prepared.architecture, by=by, skip_mismatch=skip_mismatch)
    except ckpttool.CheckpointError as error:
        return error


def _message(outcome: Outcome, result: Any) -> str:
    """Both sides of a disagreement."""
    return "\n".join(
        [
            f"verify: {result.verdict}, ok is {result.ok}, says that Keras {result.keras} by {result.loader}",
            *(f"  {line}" for line in result.problems),
            *(f"  {row.status.value} {row.label}: {row.why}" for row in result.findings[:6]),
            f"Keras: {outcome.kind}",
            *(
                f"  {line}"[:300]
                for line in (outcome.raised, *outcome.wrong[:4], *outcome.unproved[:4], *outcome.renamed[:4])
                if line
            ),
            *(f"  warned: {line[:200]}" for line in outcome.warned[:2]),
        ]
    )


def test_the_pairs_are_not_lopsided(workshop: Workshop) -> None:
    """There are enough pairs of every kind, and no two have the same name."""
    kinds = Counter(workshop.outcome(pair).kind for pair in ASKED)
    assert len({str(pair) for pair in PAIRS}) == len(PAIRS) >= 600
    assert {kind: kinds[kind] for kind, least in LEAST.items() if kinds[kind] < least} == {}


# Damaged files, and models without weights yet, which verify goes on to refuse, though Keras passes over the damage.
REFUSED = ("weights-one-twice", "map-", "bare")
# Keras has assigned a kernel before it found that the layer does not load, there or at another place of the file.
PARTLY = ("keras2.12/wrappers.keras",)


@pytest.mark.parametrize("pair", [pair for pair in ASKED if not pair.named], ids=str)
def test_verify_skips_what_keras_skips(workshop: Workshop, pair: Pair) -> None:
    """With skip_mismatch Keras raises where `verify` says so, and leaves alone the variables that it names."""
    outcome, prepared = workshop.skipping(pair), workshop.prepared(pair)
    result = _verified(prepared, pair, skip_mismatch=True)
    if isinstance(result, ckpttool.CheckpointError):  # a file that cannot be read, or an index of nothing
        assert outcome.raised or outcome.warned or not prepared.target.weights, result
        return
    message = "\n".join([f"{result.keras} {result.problems}", outcome.raised, *map(str, result.findings[:9])])
    if result.keras == "raises" and any(word in str(pair) for word in REFUSED):
        assert not result.ok, message
        return
    assert (result.keras == "raises") == bool(outcome.raised), message
    if outcome.raised or result.opaque:
        return
    left = Counter(_last(finding.slot.label) for finding in result.findings if _is_left_alone(finding))
    counts = Counter(_last(f"{layer}/{name}") for layer, name in outcome.unchanged)
    for factor in [name for name in left | counts if "lora_" in name]:  # what path layouts never store
        del left[factor], counts[factor]
    assert counts == left or (pair.file in PARTLY and counts <= left), message
    assert result.ok or any(not finding.accepted for finding in result.findings) or not result.matched


def _is_left_alone(finding: Any) -> bool:
    return finding.slot is not None and finding.status.value in LEFT


def _last(label: str) -> str:
    """The end of a label, which is the same whatever Keras numbers and wherever a shared layer is first."""
    return "/".join(label.strip("/").split("/")[-2:])
