"""The weights that Keras skips with `skip_mismatch`, by the pairs that each loader makes; test_verify_against_keras.py
compares them with live Keras."""

from typing import Any

from ckpttool.checkpoint import Section, Weight
from ckpttool.model.spec import SpecSlot
from ckpttool.verification.pairs import Pairing


def slot(path: str, *shape: int) -> SpecSlot:
    """A slot at a path in `.weights.h5`."""
    return SpecSlot(path.rpartition("/")[0], path.rpartition("/")[2], shape, "float32", True, path, "", 0)


def weight(path: str, *shape: int, dtype: str = "float32") -> Weight:
    """A stored weight."""
    return Weight(path, shape, dtype, 0, Section.MODEL)


KERNEL, BIAS, SCALE = slot("a/vars/0", 2, 3), slot("a/vars/1", 3), slot("a/vars/2", 3)


def skipped(pairing: Pairing, *parts: Any) -> list[str | None]:
    """The reasons why slots or weights are skipped, None of those that are loaded."""
    return [pairing.skipped.get(id(part)) for part in parts]


def test_a_mismatch_raises_or_is_skipped() -> None:
    """Another shape raises, unless mismatches are skipped; values of an unknown type raise in both cases."""
    other, unknown = weight("k", 5, 3), weight("b", 3, dtype="a table")
    pairing = Pairing([(KERNEL, other)]).finish()
    assert pairing.raises == ["a/vars/0: shape (5, 3) instead of (2, 3)"]
    assert skipped(pairing, KERNEL) == [None]
    pairing = Pairing([(KERNEL, other), (BIAS, weight("b", 3))]).finish(skip_mismatch=True)
    assert pairing.raises == []
    assert skipped(pairing, KERNEL, BIAS) == ["Keras skips it", None]
    pairing = Pairing([(BIAS, unknown)]).finish(skip_mismatch=True)
    assert pairing.raises == ["a/vars/1: values of type a table"]


def test_a_pair_that_is_skipped_already_raises_nothing() -> None:
    """A pair of an object that is skipped as a whole is not looked at."""
    pairing = Pairing([(KERNEL, weight("k", 5, 3))], skipped={id(KERNEL): "its layer"}).finish()
    assert (pairing.raises, skipped(pairing, KERNEL)) == ([], ["its layer"])


def test_leftovers_are_skipped_unless_keras_raises() -> None:
    """Slots and weights without a partner are skipped for their reasons, but not where Keras raises anyway."""
    lone = weight("other", 1)
    pairing = Pairing(missing=[(BIAS, "not stored")], unexpected=[(lone, "no such layer")]).finish(skip_mismatch=True)
    assert skipped(pairing, BIAS, lone) == ["not stored", "no such layer"]
    pairing = Pairing(missing=[(BIAS, "not stored")], raises=["another count"]).finish(skip_mismatch=True)
    assert skipped(pairing, BIAS) == [None]
    assert skipped(Pairing(missing=[(BIAS, "not stored")]).finish(), BIAS) == [None]


def test_layers_with_another_count_are_skipped_as_a_whole() -> None:
    """A layer with another number of weights is skipped on both sides, and that raises nothing then."""
    stored = weight("k", 2, 3)
    pairing = Pairing(raises=["a: 2 weights, 1 stored"])
    pairing.miscounted.append(((KERNEL, BIAS), (stored,), "a: 2 weights, 1 stored"))
    pairing.skip_layers()
    assert pairing.raises == []
    assert skipped(pairing, KERNEL, BIAS, stored) == ["a: 2 weights, 1 stored; Keras skips all of it"] * 3


def test_an_object_is_loaded_up_to_the_first_weight_that_does_not_fit() -> None:
    """From a mismatch on, the weights of an object are skipped, in the order of their numbers; others are loaded."""
    other = slot("b/vars/0", 4)
    tenth = slot("a/vars/10", 3)
    pairs = [(tenth, weight("t", 3)), (SCALE, weight("s", 7)), (KERNEL, weight("k", 2, 3)), (BIAS, weight("b", 3))]
    pairing = Pairing([*pairs, (other, weight("o", 4))]).skip_objects()
    behind = "Keras skips it, as a/vars/2 before it does not load"
    assert skipped(pairing, KERNEL, BIAS, SCALE, tenth, other) == [None, None, "Keras skips it", behind, None]


def test_an_object_without_all_of_its_weights() -> None:
    """A weight that is not stored ends the loading of its object, too, as do values of an unknown type."""
    pairing = Pairing([(BIAS, weight("b", 3))], missing=[(KERNEL, "not stored")]).skip_objects()
    assert skipped(pairing, KERNEL, BIAS) == ["Keras skips it", "Keras skips it, as a/vars/0 before it does not load"]
    pairing = Pairing([(KERNEL, weight("k", 2, 3, dtype="a table")), (BIAS, weight("b", 3))]).skip_objects()
    assert skipped(pairing, KERNEL)[0] == "Keras skips it"


def test_pairings_add_up() -> None:
    """All that one pairing found joins another."""
    pairing = Pairing([(KERNEL, weight("k", 2, 3))], raises=["one"])
    pairing.add(Pairing([(BIAS, weight("b", 3))], [(SCALE, "not stored")], raises=["other"], skipped={1: "its layer"}))
    assert ([own.path for own, _ in pairing.pairs], pairing.raises) == (["a/vars/0", "a/vars/1"], ["one", "other"])
    assert (pairing.missing, pairing.skipped) == ([(SCALE, "not stored")], {1: "its layer"})
