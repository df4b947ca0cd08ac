"""The three ways in which Keras 3.15 builds a model of a config, and which one it takes for a checkpoint."""

from collections.abc import Callable
from typing import Any

from ckpttool.checkpoint import Checkpoint
from ckpttool.model.buildability import construction, legacy, sequential
from ckpttool.model.buildability.calls import output_shapes_of
from ckpttool.model.buildability.compilation import compile_from_config, compile_from_training_config
from ckpttool.model.buildability.context import Context, Refused, Steps, shown
from ckpttool.model.buildability.deserialization import deserialize
from ckpttool.model.buildability.result import Buildability, Obstacle
from ckpttool.model.buildability.values import Layer

STEPS = Steps(construction.make, sequential.build, output_shapes_of)

_SAVED_MODEL_REFUSAL = (
    "File format not supported: Keras 3 makes only a layer for inference (TFSMLayer) of a SavedModel; "
    "`ckpttool convert` makes a model"
)
_TENSORFLOW_REFUSAL = (
    "File format not supported: Keras 3 cannot load a checkpoint of TensorFlow; `ckpttool "
    "convert` makes a .keras or .weights.h5 of it"
)
"""How Keras 3 refuses the containers of TensorFlow, whatever is in them (`load_model`, keras/src/saving/saving_api.py,
3.15)."""


def buildability_of_keras(config: Any) -> Buildability:
    """Whether Keras builds the config of a `.keras` (`_model_from_config`, keras/src/saving/saving_lib.py)."""
    context = Context(STEPS, shared={})
    model = _attempt(lambda: _deserialized_model(config, context), context)
    settings = config.get("compile_config") if isinstance(config, dict) else None
    return _buildability_with_compile(context, lambda compiling: _compile(model, settings, compiling))


def buildability_of_h5(config: Any, training_config: Any = None) -> Buildability:
    """Whether Keras builds the configs of a whole legacy `.h5` (`load_model_from_hdf5`,
    keras/src/legacy/saving/legacy_h5_format.py)."""
    context = Context(STEPS, legacy=True)
    model = _attempt(lambda: legacy.layer_of(decoded(config), context), context)
    settings = decoded(training_config)
    return _buildability_with_compile(context, lambda compiling: _compile_legacy(model, settings, compiling))


def buildability_of_json(config: Any) -> Buildability:
    """Whether `keras.models.model_from_json` builds a config; of one that names no class, as Keras 0 writes it, that
    makes a dict (`deserialize_keras_object`, keras/src/saving/serialization_lib.py)."""
    context = Context(STEPS)
    _attempt(lambda: deserialize(config, context), context)
    if isinstance(config, dict) and "class_name" not in config:
        context.note(Refused(Obstacle("", "", "", "it names no class, so that Keras 3 makes no model of it")))
    return _buildability_with_compile(context, lambda compiling: None)


def buildability_of(checkpoint: Checkpoint) -> Buildability | None:
    """Whether Keras builds the model in a checkpoint, by the loader that it has for such; None for weights alone."""
    return checkpoint.facts.once("buildability", _buildability_of, checkpoint)


def _buildability_of(checkpoint: Checkpoint) -> Buildability | None:
    if checkpoint.config is None:
        return None
    if checkpoint.format.is_native:
        return buildability_of_keras(checkpoint.config)
    if checkpoint.format.is_whole:
        return buildability_of_h5(checkpoint.config, checkpoint.training_config)
    if checkpoint.format.is_of_tensorflow:
        refusal = _SAVED_MODEL_REFUSAL if checkpoint.format.is_saved_model else _TENSORFLOW_REFUSAL
        return Buildability((Obstacle("", "", "", refusal),))
    return buildability_of_json(checkpoint.config)


def _deserialized_model(config: Any, context: Context) -> Any:
    """The model of a config, without its compile settings. Raises Refused."""
    if not isinstance(config, dict):
        raise context.refused("", "", f"the config is {shown(config)}; Keras takes an object")
    return deserialize({**config, "compile_config": None}, context)


def _attempt(build: Callable[[], Any], context: Context) -> Any:
    """Build a model, or compile one. Returns None where Keras raises, with the reasons noted in the context."""
    try:
        return build()
    except Refused as refused:
        context.note(refused)
    except RecursionError:
        context.note(Refused(Obstacle("", "", "", "the config is nested more deeply than Keras follows")))
    return None


def _buildability_with_compile(context: Context, compile_model: Callable[[Context], None]) -> Buildability:
    """The buildability of a model that was attempted in a context. A model that is built is compiled, too."""
    obstacles = tuple(context.obstacles)
    if obstacles:
        return Buildability(obstacles, (), tuple(context.unknown), tuple(context.misread))
    compiling = Context(STEPS, ["compile"], context.unknown, [], context.shared, context.legacy)
    _attempt(lambda: compile_model(compiling), compiling)
    return Buildability((), tuple(compiling.obstacles), tuple(compiling.unknown), tuple(context.misread))


def _compile(model: Any, settings: Any, context: Context) -> None:
    if not settings:
        return
    if isinstance(model, Layer) and model.is_model:
        compile_from_config(model, settings, context)
    elif isinstance(model, Layer) and model.place:
        raise context.refused(model.class_name, "compile_config", "only models are compiled")


def _compile_legacy(model: Any, settings: Any, context: Context) -> None:
    if settings is None:
        return
    if isinstance(model, Layer) and model.is_model:
        compile_from_training_config(model, settings, context)
    elif isinstance(model, Layer) and model.place:
        raise context.refused(model.class_name, "", f"{shown(model.class_name)} is no model and cannot be compiled")


def decoded(value: Any) -> Any:
    """A config of a legacy file, with a tuple in place of each object that stands for one (`json_utils.decode`)."""
    if isinstance(value, list):
        return [decoded(item) for item in value]
    if not isinstance(value, dict):
        return value
    name, items = value.get("class_name"), value.get("items")
    if name in ("__tuple__", "TensorShape") and isinstance(items, list):
        return tuple(decoded(item) for item in items)
    return {key: decoded(item) for key, item in value.items()}
