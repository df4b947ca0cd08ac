"""Vocabularies of a model's lookups that would be missing after a conversion, or that Keras 3 would not read."""

from pathlib import Path
from typing import Any

import pytest

from ckpttool import formats
from ckpttool.conversion import plan, vocabularies
from ckpttool.conversion.journal import Journal, NeedKind
from ckpttool.model import read_architecture
from ckpttool.model.architecture_parts import part_in
from ckpttool.model.slots import Part
from tests.samples import FIXTURES

PLACE = "layers/string_lookup"
ASSET = f"{PLACE}/vocabulary.txt"


def model(*layers: dict[str, Any]) -> Part:
    """A model of StringLookups with these arguments."""
    entries = [
        {"class_name": "StringLookup", "module": "keras.layers", "config": {"name": f"look{at}", **arguments}}
        for at, arguments in enumerate(layers)
    ]
    read = read_architecture(
        {"class_name": "Sequential", "module": "keras", "config": {"name": "m", "layers": entries}}
    )
    assert read is not None
    return part_in(read)


def checked(part: Part, assets: dict[str, bytes]) -> tuple[Journal, frozenset[str]]:
    """The journal of a check, and the lookups without a vocabulary."""
    journal = Journal()
    return journal, vocabularies.check(part, assets, journal)


def test_a_vocabulary_in_the_config_or_among_the_assets() -> None:
    """Nothing is said of a vocabulary that the new file has."""
    for part, assets in ((model({"vocabulary": ["a"]}), {}), (model({}), {ASSET: b"[UNK]\na\nb"})):
        journal, missing = checked(part, assets)
        assert (journal.refusals, journal.needs, missing) == ([], [], frozenset())


def test_a_vocabulary_that_is_nowhere() -> None:
    """The lookup is refused, with ways out, and its label is given."""
    journal, missing = checked(model({"vocabulary": ["a"]}, {}), {})
    [refusal] = journal.refusals
    assert (refusal.where, missing) == ("look1", {"look1"})
    assert refusal.what.startswith("StringLookup looks values up in a vocabulary, which is neither in the config nor")


def test_a_vocabulary_in_a_file() -> None:
    """The file is needed where the model is loaded; beside assets of others Keras 3 refuses it."""
    journal, _ = checked(model({"vocabulary": "/v.txt"}), {})
    [need] = journal.needs
    assert (need.where, need.kind, journal.refusals) == ("look0", NeedKind.FILE, [])
    assert need.what.startswith("the file /v.txt with its vocabulary")
    second = model({}, {"vocabulary": "/v.txt"})
    journal, _ = checked(second, {ASSET: b"[UNK]\na"})
    [refusal] = journal.refusals
    assert (refusal.where, journal.needs) == ("look1", [])
    assert "/v.txt, which Keras 3.15 refuses beside the assets of others" in refusal.what


def test_padded_weights_in_tf_idf_mode() -> None:
    """Weights that are padded to max_tokens do not load beside a shorter vocabulary."""
    weighted = {"output_mode": "tf_idf", "max_tokens": 9}
    journal, _ = checked(model({**weighted, "pad_to_max_tokens": True}), {ASSET: b"[UNK]\na"})
    assert [refusal.what[:47] for refusal in journal.refusals] == ["StringLookup has padded weights of mode tf_idf,"]
    journal, _ = checked(model(weighted), {ASSET: b"[UNK]\na"})
    assert journal.refusals == []


@pytest.mark.parametrize(
    ("asset", "is_refused"),
    [
        (b"[UNK]\na\nb", False),
        (b"\n[UNK]\na", False),
        (b"[UNK]\na\nb\n", True),
        ("[UNK]\nä".encode(), False),
        (b"[UNK]\na\x0bb", True),
        ("[UNK]\na\u2028b".encode(), True),
        (b"[UNK]\na\n\n", True),
        (b"[UNK]\n\xff", True),
        (b"", True),
    ],
    ids=repr,
)
def test_entries_are_lines(asset: bytes, is_refused: bool) -> None:
    r"""Entries that Keras 3 would cut in two, leave out or not decode are refused.

    Keras 2.15 adapted to "a" and "" writes "[UNK]\na\n" and reads three entries of it, Keras 3.15 reads two.
    """
    journal, _ = checked(model({}), {ASSET: asset})
    assert bool(journal.refusals) == is_refused
    assert all("entries that Keras 3 would cut in two" in refusal.what for refusal in journal.refusals)


def test_weights_alone_leave_vocabularies_behind() -> None:
    """A file of weights has no vocabulary; one in the config comes with the code that builds the model."""
    journal = Journal()
    vocabularies.note_left_behind(model({"vocabulary": ["a"]}, {}, {"vocabulary": "/v.txt"}), journal)
    assert [loss.where for loss in journal.losses] == ["look1", "look2"]
    assert {loss.what[:14] for loss in journal.losses} == {"its vocabulary"}


@pytest.mark.parametrize(("name", "times"), [("mlp", 2), ("lookup", 3)])
def test_an_architecture_is_opened_for_vocabularies_that_it_lacks(
    name: str, times: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The file of an architecture whose config has all its vocabularies is read once, beside the weights."""
    opened, plain, path = list[Path](), formats._open_file, FIXTURES / f"keras3/{name}.keras"

    def noted(path: Path) -> Any:
        opened.append(path)
        return plain(path)

    monkeypatch.setattr(formats, "_open_file", noted)
    plan(path, tmp_path / "new.keras", arch=path)
    assert opened == [path] * times
