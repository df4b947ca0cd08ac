"""The recorded answers of live Keras are those of the Keras that is installed."""

from pathlib import Path

import pytest

from ckpttool.model.layers.table import WEIGHTLESS
from tests import recorded
from tests.model import layer_cases
from tests.model.shapes.layer_shape_cases import all_cases
from tests.recorded import ASKING, FOLDER, LONG, Recording, asked, changes
from tests.speeds import is_slow

SAMPLED = {"buildability": 600, "layers": 350, "layer_shapes": 1000}
"""Of which a full run asks some questions of each kind, more than so many."""


def test_every_recording_is_asked() -> None:
    """Each file has a module that asks, and each module a file; together they are small."""
    files = list(FOLDER.iterdir())
    assert {file.name for file in files} == {f"{name}.jsonl.gz" for name in ASKING}
    assert sum(file.stat().st_size for file in files) < 1_000_000


def test_all_are_of_one_version() -> None:
    """The version of Keras that answered is the same for all, and the one that docstrings name."""
    (version,) = {recorded.recorded(name).keras for name in ASKING}
    assert version.startswith("3.15.")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [name for name in ASKING if name not in LONG])
def test_keras_answers_as_recorded(name: str) -> None:
    """Live Keras answers each question as it did; otherwise `python -m tests.recorded` renews the answers."""
    pytest.importorskip("keras", minversion="3.15", reason="the answers are those of Keras 3.15")
    before, now = recorded.recorded(name), asked(name)
    if name in SAMPLED and not is_slow():
        before = Recording(
            before.keras, {key: before.answers[key] for key in before.answers.keys() & now.answers.keys()}
        )
        assert len(before.answers) > SAMPLED[name]
    differing = changes(before, now)
    assert not differing, "\n".join([f"{len(differing)} answers differ", *differing[:20]])


def test_every_call_is_recorded() -> None:
    """The layers and their calls that are recorded are those that are tried, though a full run asks only some again."""
    assert {*map(str, all_cases()), "classes"} == recorded.recorded("layer_shapes").answers.keys()
    layers = {*map(str, layer_cases.all_cases(tuple(sorted(WEIGHTLESS)))), "public classes", "aliases"}
    assert layers == recorded.recorded("layers").answers.keys()


def test_changes_are_reported() -> None:
    """A difference names the version, the question and both answers around the place where they part."""
    before = Recording("3.15.0", {"a": 1, "b": [0] * 500 + [1], "c": 1})
    after = Recording("3.16.0", {"a": 1, "b": [0] * 500 + [2], "d": 1})
    version, changed, unasked, new = changes(before, after)
    assert version == "Keras 3.15.0 -> 3.16.0"
    assert "0, 1] -> " in changed
    assert changed.endswith("0, 2]")
    assert (unasked, new) == ("c: 1 -> not asked", "d: not asked -> 1")
    assert changes(before, before) == []


def test_a_file_gives_back_what_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Version, questions and answers come back, and the same answers are the same bytes."""
    monkeypatch.setattr(recorded, "FOLDER", tmp_path)
    recording = Recording("3.15.1", {"x\ny": {"shape": [None, 3]}, "a": None})
    recorded.write("one", recording)
    assert recorded.recorded.__wrapped__("one") == recording
    before = (tmp_path / "one.jsonl.gz").read_bytes()
    recorded.write("one", recording)
    assert (tmp_path / "one.jsonl.gz").read_bytes() == before


def test_repeated_questions_are_numbered() -> None:
    """Each question is another."""
    assert recorded.numbered(["a", "b", "a", "a"]) == ["a", "b", "a #2", "a #3"]
