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
