"""The answers of live Keras 3.15: whether it builds a config, and compiles it, by each of its loaders."""

import copy
import importlib
import json
from typing import Any, NamedTuple

from tests.live import keras
from tests.model.buildability.configs import Config
from tests.recorded import recorded
from tests.speeds import is_full, is_slow

OWN = ("Could not locate class", "Could not locate function", "Unknown layer", "is not a KerasSaveable subclass")


class Answer(NamedTuple):
    """Why Keras does not build a config, and why it does not compile it; empty where it does."""

    building: str
    compiling: str


def answers() -> dict[str, Any]:
    """The answers of Keras for the configs that are recorded, in a full run of the tests for every tenth: the error
    that it raises, for building and for compiling."""
    questions = sorted(recorded("buildability").answers)[:: 10 if is_full() and not is_slow() else 1]
    configs = {question: Config.of(question) for question in questions}
    asked = {question: ask(of.loader, of.config, of.training) for question, of in configs.items()}
    return {question: [text.partition(":")[0] for text in answer] for question, answer in asked.items()}


def ask(loader: str, config: Any, training: Any = None) -> Answer:
    """The answer of Keras for a config, where no class is registered: `loader` is keras, h5 or json.

    Another test of this process may have registered one. Then Keras looks at names of classes that it else ignores.
    """
    registered = keras().saving.get_custom_objects()
    before = dict(registered)
    registered.clear()
    try:
        return {"keras": _keras, "h5": _h5, "json": _json}[loader](config, training)
    finally:
        registered.update(before)


def _keras(config: Any, _: Any) -> Answer:
    library = importlib.import_module("keras.src.saving.saving_lib")
    text = json.dumps(config)
    refused = _refused(lambda: library._model_from_config(text, None, False, True))
    if refused or not (isinstance(config, dict) and config.get("compile_config")):
        return Answer(refused, "")
    return Answer("", _refused(lambda: library._model_from_config(text, None, True, True)))


def _json(config: Any, _: Any) -> Answer:
    return Answer(_refused(lambda: keras().models.model_from_json(json.dumps(config))), "")


def _h5(config: Any, training: Any) -> Answer:
    objects: list[Any] = []
    refused = _refused(lambda: objects.append(_legacy_model(config)))
    if refused or training is None:
        return Answer(refused, "")
    return Answer("", _refused(lambda: _compile(objects[0], training)))


def _legacy_model(config: Any) -> Any:
    source = keras().src
    text, utils = importlib.import_module("keras.src.legacy.saving.json_utils"), source.legacy.saving.saving_utils
    options = importlib.import_module("keras.src.legacy.saving.saving_options")
    with options.keras_option_scope(use_legacy_config=True), source.saving.serialization_lib.SafeModeScope(True):
        return utils.model_from_config(text.decode(json.dumps(config)), custom_objects={})


def _compile(model: Any, training: Any) -> None:
    text = importlib.import_module("keras.src.legacy.saving.json_utils")
    utils = importlib.import_module("keras.src.legacy.saving.saving_utils")
    settings = text.decode(json.dumps(copy.deepcopy(training)))
    model.compile(**utils.compile_args_from_training_config(settings, {}))
    utils.try_build_compiled_arguments(model)


def _refused(step: Any) -> str:
    """Why a step raises, empty where it does not."""
    try:
        step()
    except Exception as error:  # whatever Keras raises is its answer
        return f"{type(error).__name__}: {error}"[:2000]
    return ""
