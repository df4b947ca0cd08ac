"""The rules of portability."""

from functools import partial

from ckpttool.checks.rule import Rule, Severity

_warning, _info = (partial(Rule, family="portability", severity=level) for level in (Severity.WARNING, Severity.INFO))

OLD_CONFIG = _info(
    code="P101",
    name="old-config",
    finds="A model in the words of Keras 0, 1 or 2.",
    why="tf_keras reads what Keras 2 wrote; Keras 3 reads some of it, and not all of that as it was meant.",
    remedy="See what would change with `ckpttool convert --dry-run`, and convert it.",
)

REFUSED = _warning(
    code="P102",
    name="refused-by-keras-3",
    finds="Something that Keras 3 raises on: arguments and classes that are gone, old forms of configs and files.",
    why="The model cannot be loaded where Keras 3 is installed.",
    remedy="Bring what Keras 1 or 2 wrote into Keras 3 with `ckpttool convert`; else mend what is named.",
)

OTHERWISE = _warning(
    code="P103",
    name="computed-otherwise",
    finds="Something that Keras 3 takes without a word and means otherwise: hard_sigmoid, old defaults, input shapes.",
    why="The model loads, and its predictions are not those that it was trained to make.",
    remedy="Bring it into Keras 3 with `ckpttool convert`, which makes up for it.",
)

NO_EXACT_FORM = _warning(
    code="P104",
    name="no-exact-form",
    finds="Something for which Keras 3 has no form of its own, such as the code of a Lambda layer.",
    why="Keras 3 refuses it by default, and `ckpttool convert` does not convert it without help.",
    remedy="Give `ckpttool convert` what it asks for, such as --replace, or rebuild that part of the model.",
)

REMARKS = _info(
    code="P105",
    name="conversion-remarks",
    finds="What a conversion would leave behind, had to guess, or needs: code of own classes, a state of training.",
    why="The converted model loads only where that code is, or may not go on training where the old one stopped.",
    remedy="Read the plan: `ckpttool convert --dry-run`.",
)

NEEDS_KERAS_3 = _info(
    code="P106",
    name="needs-keras-3",
    finds="A whole model in the words of Keras 3; silent unless it is asked for by code: --select ALL,P106.",
    why="Keras 2, which is in TensorFlow up to 2.15, does not open it, neither as .keras nor as .h5.",
    remedy="Bring its weights into code of Keras 2: `ckpttool convert MODEL for_keras_2.h5`, then load_weights.",
)

OWN_OBJECTS = _info(
    code="P107",
    name="needs-own-objects",
    finds="Classes and functions of the user's own, of the model or of what it is compiled with.",
    why="Keras 3 raises where it is not given them: what they compute is in no checkpoint.",
    remedy="Import the module that registers them before loading, or load_model(..., custom_objects={...}).",
)

RULES = (OLD_CONFIG, REFUSED, OTHERWISE, NO_EXACT_FORM, REMARKS, NEEDS_KERAS_3, OWN_OBJECTS)
