"""The rules of portability."""

from functools import partial

from ckpttool.checks.rule import Rule, Severity

_warning, _info = (partial(Rule, family="portability", severity=level) for level in (Severity.WARNING, Severity.INFO))

OLD_CONFIG = _info(
    code="P101",
    name="old-config",
    finds="A config of Keras 0, 1 or 2.",
    why="tf_keras loads models of Keras 2. Keras 3 loads some of them, and some of those then give other results.",
    remedy="See with `ckpttool convert --dry-run` what would change, and convert the model.",
)

REFUSED = _warning(
    code="P102",
    name="refused-by-keras-3",
    finds="A part of a model on which Keras 3 raises: arguments and classes that it no longer has, old forms of "
    "configs and files.",
    why="The model cannot be loaded where Keras 3 is installed.",
    remedy="Convert a model of Keras 1 or 2 with `ckpttool convert`; in a model of Keras 3, correct the part that is "
    "named.",
)

COMPUTED_DIFFERENTLY = _warning(
    code="P103",
    name="computed-otherwise",
    finds="A part of a config that Keras 3 loads without a warning and computes differently: hard_sigmoid, old "
    "defaults, input shapes, axes in a .h5.",
    why="The model loads, and its predictions are not those that it was trained to make.",
    remedy="Convert the model to Keras 3 with `ckpttool convert`, which keeps its results the same.",
)

NO_EXACT_FORM = _warning(
    code="P104",
    name="no-exact-form",
    finds="A part of a model that has no equivalent in Keras 3, such as the code of a Lambda layer.",
    why="Keras 3 refuses it by default, and `ckpttool convert` does not convert it without help.",
    remedy="Pass `ckpttool convert` the option that it asks for, such as --replace, or rebuild that part of the model.",
)

REMARKS = _info(
    code="P105",
    name="conversion-remarks",
    finds="Remarks on a conversion: parts that it would leave out, guesses that it would make, code that it needs.",
    why="The converted model loads only where that code is, or may not go on training where the old one stopped.",
    remedy="Read the plan: `ckpttool convert --dry-run`.",
)

NEEDS_KERAS_3 = _info(
    code="P106",
    name="needs-keras-3",
    finds="A whole model with a config of Keras 3. The rule is off unless its code is selected: --select ALL,P106.",
    why="Keras 2, which is in TensorFlow up to 2.15, does not open it, neither as .keras nor as .h5.",
    remedy="Build the model with code of Keras 2, and load its weights from the file that `ckpttool convert MODEL "
    "for_keras_2.h5` writes.",
)

OWN_OBJECTS = _info(
    code="P107",
    name="needs-own-objects",
    finds="Classes and functions of the user's own, of the model or of what it is compiled with.",
    why="Keras 3 raises where it does not have them: no checkpoint stores their code.",
    remedy="Import the module that registers them before loading, or load_model(..., custom_objects={...}).",
)

RULES = (OLD_CONFIG, REFUSED, COMPUTED_DIFFERENTLY, NO_EXACT_FORM, REMARKS, NEEDS_KERAS_3, OWN_OBJECTS)
