"""The notes of a plan."""

from ckpttool.conversion.journal import Applied, Edit, Journal, Need, Remark

EDIT = Edit("rename-class", "writes a class under the name Keras 3 has for it", "always")


def test_notes_stay_in_order() -> None:
    """Each kind of note is kept apart, with its place."""
    journal = Journal()
    journal.edit(EDIT, "dense", "Dense2D to Dense")
    journal.edit(EDIT, "other")
    journal.guess("conv", "assumed TensorFlow's kernels")
    journal.lose("optimizer", "its state")
    journal.need("mine>Layer", "import the module that registers it")
    journal.refuse("lambda", "holds Python bytecode")
    assert journal.edits == [Applied(EDIT, "dense", "Dense2D to Dense"), Applied(EDIT, "other")]
    assert journal.guesses == [Remark("conv", "assumed TensorFlow's kernels")]
    assert journal.losses == [Remark("optimizer", "its state")]
    assert journal.needs == [Need("mine>Layer", "import the module that registers it")]
    assert journal.refusals == [Remark("lambda", "holds Python bytecode")]


def test_an_assumption_about_several_places_is_noted_once() -> None:
    """The same guess is no second one."""
    journal = Journal()
    for text in ("as Keras", "as Keras", "as TensorFlow"):
        journal.guess_once("loss", text)
    assert [guess.what for guess in journal.guesses] == ["as Keras", "as TensorFlow"]


def test_an_edit_that_writes_a_default_changes_nothing() -> None:
    """An edit without which Keras 3 computes other results makes no difference where it does the same by default."""
    edit = EDIT._replace(differs_without=True)
    assert [Applied(edit, "conv", is_default=is_default).differs_without for is_default in (False, True)] == [
        True,
        False,
    ]
    assert not Applied(EDIT, "conv").differs_without
