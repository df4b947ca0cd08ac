"""Models as people build and save them, by genuine Keras 1.2.2 to 3.15: Keras contradicts no success of convert."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.habits.judge import judged
from tests.samples import FIXTURES

FOLDER = FIXTURES / "habits"
CASES = [json.loads(line) for line in (FOLDER / "cases.jsonl").read_text("utf-8").splitlines()]

REFUSED: dict[str, str] = {
    "224_0023": "of the class Wrapped of your own, which has layers",
    "224_2018": "has no shape of its input",
    "230_0018": "for which the model has no slot",
    "3151_0014": "of the class Block of your own, which has layers",
    "3151_3000": "StringLookup looks values up in a vocabulary",
    "3151_3007": "TextVectorization looks values up in a vocabulary",
}
"""What convert refuses, and a part of its reason."""

GUESSED: dict[str, str] = dict.fromkeys(
    ["224_9056", "230_0023", "240_0023", "2100_0023", "2150_0023"], "predicts otherwise"
)
"""What predicts otherwise after a guess that was named: a hard_sigmoid in a class of the author's own, what a
Bidirectional gives at masked steps."""


ANNOUNCED: dict[str, str] = {
    "122_0019": "the first steps of Adamax",
    "2150_0127": "training=False in its call",
    "224_0019": "the first steps of Adamax",
}
"""What takes another step of training than its writer did, and a part of what convert says of it."""


def test_every_generation_is_there() -> None:
    """Cases of each Keras, and habits enough."""
    assert {case["keras"].rpartition(".")[0] for case in CASES} >= {"1.2", "2.2", "2.4", "2.10", "2.15", "3.15"}
    assert len({habit for case in CASES for habit in case["habits"]}) >= 40


@pytest.mark.filterwarnings("ignore")  # of Keras, whose warnings the judgement looks at
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["file"])
def test_keras_confirms_or_convert_refuses(case: dict[str, Any], tmp_path: Path) -> None:
    """A converted case loads compiled, predicts, measures, trains and is saved as before; what is refused is listed,
    and what trains otherwise."""
    with zipfile.ZipFile(FOLDER / "cases.zip") as archive:
        for name in {case["file"], case.get("arch", case["file"]), f"{case['name']}.npz"}:
            archive.extract(name, tmp_path)
    judgement = judged(tmp_path, case, tmp_path / "new.keras")
    name = case["name"]
    known = {"refused": REFUSED, "guessed": GUESSED, "announced": ANNOUNCED}
    assert judgement.outcome == next((outcome for outcome, of in known.items() if name in of), "right"), judgement.why
    assert {**REFUSED, **GUESSED, **ANNOUNCED}.get(name, "") in judgement.why


def test_steps_are_compared() -> None:
    """Cases of each Keras from 1.2 on have the step that their writer took, and some that of the loaded file."""
    with zipfile.ZipFile(FOLDER / "cases.zip") as archive:
        for letter, enough in (("z", 10), ("w", 5)):
            names = [name for name in archive.namelist() if name.endswith(".npz")]
            keys = {name: zipfile.ZipFile(io.BytesIO(archive.read(name))).namelist() for name in names}
            assert sum(f"{letter}0.npy" in of for of in keys.values()) >= enough
