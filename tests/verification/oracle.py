"""The acts of Keras on a pair, and whether they were right, judged by values."""

import hashlib
import json
import warnings
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from ckpttool import Architecture
from tests.samples import FIXTURES, live
from tests.verification import edits, own, pairs, stored
from tests.verification.pairs import Pair
from tests.verification.sources import SOURCES
from tests.verification.stored import Array, Book, File, Key, Owner
from tests.verification.trees import built

StoredArrays = list[tuple[Owner, Array]]


@dataclass(frozen=True)
class Outcome:
    """The outcome of a load in Keras.

    `wrong` is what values prove and the file tells; `unproved` what only the maker of the file knows; `renamed` are
    weights that got the values of a layer whose name the model does not have, `unchanged` are variables whose values
    are those of before.
    """

    raised: str = ""
    warned: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    unproved: tuple[str, ...] = ()
    renamed: tuple[str, ...] = ()
    unchanged: tuple[Key, ...] = ()

    @property
    def kind(self) -> str:
        """One word for it."""
        if self.raised:
            return "raises"
        return "wrong" if self.wrong or self.unproved else "renamed" if self.renamed else "right"


@dataclass(frozen=True)
class Prepared:
    """A pair: the checkpoint on disk, the live target and its architecture, on disk too where JSON tells all of it."""

    checkpoint: Path
    architecture: Path | Architecture
    file: File
    target: Any


class Workshop:
    """Makes files and models in a folder, each once."""

    def __init__(self, keras: Any, folder: Path) -> None:
        self.keras, self.folder = keras, folder
        self.stored = lru_cache(None)(self._stored)
        self.target = lru_cache(None)(self._target)
        self.outcome = lru_cache(None)(self._outcome)
        self.prepared = lru_cache(None)(self._prepared)
        self.skipping = lru_cache(None)(self._skipping)
        self.count = 0

    def _new(self) -> Path:
        self.count += 1
        folder = self.folder / str(self.count)
        folder.mkdir()
        return folder

    def _stored(self, name: str, form: str) -> File:
        """The checkpoint of a model in a format."""
        kind, _, variant = name.partition("@")
        if kind in own.VARIANTS:
            model = own.build(self.keras, kind, variant or "same")
            stored.distinct(model, 1)
            return stored.save(model, self._new(), form)
        if name not in SOURCES:
            return replace(file := File(FIXTURES / name, form, {}), book=_fixture_book(name, file))
        source = SOURCES[name]
        model = built(self.keras, source.tree, source.shape)
        stored.distinct(model, 1)
        return stored.save(model, self._new(), form)

    def _target(self, name: str, edit: str) -> tuple[Path | Architecture, Any]:
        """The architecture of a target, and the live model that Keras makes of it or that it was read from."""
        if name in own.VARIANTS:
            model = own.build(self.keras, name, edit)
            return Architecture.from_model(model), model
        path = self._new() / "model.json"
        path.write_text(self._architecture(name, edit), encoding="utf-8")
        return path, self.keras.models.model_from_json(path.read_text(encoding="utf-8"))

    def _architecture(self, name: str, edit: str) -> str:
        if name not in SOURCES:
            text: str = self.keras.models.load_model(FIXTURES / name, compile=False).to_json()
            return text
        source = SOURCES[name]
        tree = source.edits[edit](source.tree) if edit != "same" else source.tree
        model = built(self.keras, tree, source.shape)
        return json.dumps(json.loads(model.to_json()))

    def _prepared(self, pair: Pair) -> Prepared:
        file = self.stored(pair.file, pair.form)
        if pair.edit or pair.named:
            file = stored.copied(file, self._new(), pair.named or None)
        if pair.edit in pairs.SHARD_EDITS:
            file = pairs.SHARD_EDITS[pair.edit](file)
        elif pair.edit:
            table = pairs.LEGACY_EDITS if pair.form in stored.LEGACY else pairs.PATH_EDITS
            file = edits.edited(file, table[pair.edit])
        path, target = self.target(pair.model, pair.target)
        return Prepared(file.path, path, file, target)

    def _outcome(self, pair: Pair) -> Outcome:
        """The outcome of the pair in Keras."""
        prepared = self.prepared(pair)
        before = stored.distinct(prepared.target, 2, plain=False)
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            try:
                prepared.target.load_weights(prepared.checkpoint, **({"by_name": True} if pair.by_name else {}))
            except Exception as error:  # whatever Keras raises is what it raises
                return Outcome(raised=f"{type(error).__name__}: {error}")
        return replace(
            judged(prepared.file, prepared.target, before), warned=tuple(str(warning.message) for warning in warned)
        )

    def _skipping(self, pair: Pair) -> Outcome:
        """The outcome of the pair in Keras where it is asked to skip mismatches; `kept` are variables that it left
        alone."""
        prepared = self.prepared(pair)
        before = stored.distinct(prepared.target, 3, plain=False)
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            try:
                options = {"by_name": True} if pair.by_name else {}
                prepared.target.load_weights(prepared.checkpoint, skip_mismatch=True, **options)
            except Exception as error:  # whatever Keras raises is what it raises
                return Outcome(raised=f"{type(error).__name__}: {error}")
        after = {key: np.asarray(variable) for key, variable in stored.variables_of(prepared.target)}
        unchanged = tuple(key for key, value in after.items() if np.array_equal(value, before[key]))
        return Outcome(warned=tuple(str(warning.message) for warning in warned), unchanged=unchanged)


def _fixture_book(name: str, file: File) -> Book:
    """The owner of each array of a fixture, by the checksums that the recipe took of the live model."""
    owners: dict[str, list[Key]] = {}
    for weight in live(name)["weights"]:
        chain = "/".join(name for name in weight["layer"].split("/") if not name.startswith("stacked_rnn_cells"))
        owners.setdefault(weight["sha256"], []).append((chain, weight["name"].split("/")[-1].split(":")[0]))
    book = {}
    for place, array in file.arrays().items():
        matches = owners.get(hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest())
        if matches:
            book[place] = Owner(matches[0], is_in_file=False)
    return book


def judged(file: File, target: Any, before: dict[Key, Array]) -> Outcome:
    """The facts that the values of a target prove after a load."""
    stored_arrays = file.stored_arrays()
    after = {key: np.asarray(variable) for key, variable in stored.variables_of(target)}
    verdicts = [_of_variable(file, stored_arrays, after, key, before[key]) for key in after]
    lost = [stored.key for stored, array in stored_arrays if not any(alike(value, array) for value in after.values())]
    verdicts += [("wrong", f"the file's {key} was loaded nowhere") for key in lost]
    texts = {
        kind: tuple(text for key_kind, text in verdicts if key_kind == kind)
        for kind in ("wrong", "unproved", "renamed")
    }
    return Outcome(wrong=texts["wrong"], unproved=texts["unproved"], renamed=texts["renamed"])


def _of_variable(file: File, arrays: StoredArrays, after: dict[Key, Array], key: Key, old: Array) -> tuple[str, str]:
    """The fact that the value of a variable proves, and the kind of proof."""
    value = after[key]
    giver = next((stored for stored, array in arrays if alike(value, array)), None)
    owns = [(stored, array) for stored, array in arrays if stored.key == key]
    if any(alike(value, array) for _, array in owns) or _is_zeroed(file, key, value):
        return "right", ""
    if owns:
        is_proved = giver is None or (
            owns[0][0].is_in_file and giver.is_in_file and _distinguishes(file, key, giver.key)
        )
        return "wrong" if is_proved else "unproved", f"{key} is not what the file holds for it"
    if giver is None:
        return "wrong", f"{key} kept its old value" if np.array_equal(value, old) else f"{key} has a value from nowhere"
    text = f"{key} has the value of {giver.key}"
    if not giver.is_in_file or (giver.key not in after and giver.key[0] != key[0]):
        return "renamed", text
    return "wrong" if _distinguishes(file, key, giver.key) else "unproved", text


def _distinguishes(file: File, key: Key, other: Key) -> bool:
    """Whether the file itself tells two weights apart: within one layer, path layouts only number them."""
    return file.form in stored.LEGACY or key[0] != other[0]


def _is_zeroed(file: File, key: Key, value: Array) -> bool:
    """Whether this is a part of LoRA, which no path layout stores and which loading sets to zero."""
    return key[1].startswith("lora_") and file.form not in stored.LEGACY and not value.any()


def alike(value: Array, array: Array) -> bool:
    """Whether a variable has this value, to the precision of the variable."""
    if value.shape != array.shape or (array.dtype.kind in "SOV" and array.dtype != ml_dtypes.bfloat16):
        return False
    if array.dtype.kind == "c":
        return not array.imag.any() and alike(value, array.real)
    actual, wanted = value.astype(np.float64), array.astype(np.float64)
    if value.dtype.kind in "iub":
        return bool(np.array_equal(actual, wanted))
    kind: Any = ml_dtypes.finfo(value.dtype)  # type: ignore[no-untyped-call]
    return bool(np.allclose(actual, wanted, rtol=2 * float(kind.eps), atol=float(kind.smallest_subnormal)))
