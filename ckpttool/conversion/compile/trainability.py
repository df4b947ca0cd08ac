"""The trainability of a converted model: its compile settings, the state of its optimizers, and steps that differ."""

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ckpttool.alignment.alignment import Alignment
from ckpttool.checkpoint import Checkpoint, Section
from ckpttool.conversion.compile import (
    batch_statistics,
    crossentropies,
    first_steps,
    frozen_models,
    multiplied_steps,
    nested_settings,
    output_keys,
    regularizers,
    sparse_steps,
)
from ckpttool.conversion.compile.optimizers import WHERE as COMPILE
from ckpttool.conversion.compile.settings import compile_config
from ckpttool.conversion.compile.stored_state import WHERE as STATE
from ckpttool.conversion.config.result import Rewritten
from ckpttool.conversion.journal import Journal
from ckpttool.conversion.options import Options
from ckpttool.conversion.origin import Origin
from ckpttool.conversion.targets import FORMS
from ckpttool.conversion.weights.placement import PlacedWeight
from ckpttool.formats.weight_paths import is_of_inner_optimizer, split
from ckpttool.model import Architecture
from ckpttool.model.generations.generation import Generation
from ckpttool.model.spec import spec_of


def as_compiled(
    checkpoint: Checkpoint,
    architecture: Architecture,
    alignment: Alignment,
    origin: Origin,
    options: Options,
    journal: Journal,
) -> tuple[Architecture, Alignment]:
    """The architecture with the models frozen that were so as it was compiled, if the state of its optimizer is to go
    along, and the alignment with it."""
    if not options.compiled or not options.optimizer:
        return architecture, alignment
    return frozen_models.with_frozen(checkpoint, architecture, alignment, origin, journal)


def note_steps(
    checkpoint: Checkpoint,
    architecture: Architecture,
    alignment: Alignment,
    target: Architecture,
    placed: Sequence[PlacedWeight],
    origin: Origin,
    journal: Journal,
) -> None:
    """Note that further training of a compiled model of an older Keras is not the same, whether its optimizer has begun
    or not."""
    compiled = target.config.get("compile_config")
    if not compiled or journal.refusals or architecture.generation is Generation.KERAS_3:
        return
    multiplied_steps.note(placed, target.config, journal)
    by_rows = sparse_steps.leaves_rows(checkpoint, origin)
    sparse_steps.note(spec_of(target), compiled["optimizer"], by_rows, journal)
    first_steps.note(checkpoint, compiled["optimizer"], origin, journal)
    frozen_models.note(checkpoint, architecture, alignment, origin, journal)


def note_left_state(checkpoint: Checkpoint, form: str, compiled: bool, journal: Journal) -> None:
    """Note that a target does not have the state of the optimizer: it has only weights, or is compiled without one."""
    count = sum(weight.shape != () for weight in checkpoint.section(Section.OPTIMIZER))
    if count and not FORMS[form].whole:
        journal.lose(STATE, f"its state, {count:,} arrays: the target has only weights")
    elif count and not compiled:
        journal.lose(STATE, f"its state, {count:,} arrays: the new model is compiled without an optimizer")


def note_inner(
    checkpoint: Checkpoint, architecture: Architecture, form: str, written: Container[str], journal: Journal
) -> None:
    """Note the compile settings of models in the model, such as the discriminator of a GAN, or else the state of their
    optimizers, which a rewritten model does not get."""
    if FORMS[form].whole and nested_settings.note(architecture, journal):
        return
    counts = Counter[str]()
    for weight in checkpoint.section(Section.OTHER):
        if weight.shape and weight.path not in written and is_of_inner_optimizer(split(weight.path)):
            counts[weight.path.partition("/optimizer/")[0]] += 1
    for model, count in counts.items():
        journal.lose(f"{model}/optimizer", f"its state, {count:,} arrays: this optimizer of a nested model begins anew")


def compiled(
    checkpoint: Checkpoint,
    architecture: Architecture,
    target: Architecture,
    rewritten: Rewritten,
    origin: Origin,
    journal: Journal,
) -> Architecture:
    """The new architecture with its compile settings in its config; losses and metrics whose values differ are
    noted."""
    config = target.config
    settings, version = _compiled_with(checkpoint, architecture)
    by_key = output_keys.layers_by_key(config)
    outputs = [(key, key) for key in by_key] or _outputs(architecture, target)
    new = compile_config(settings, version, outputs, journal, list(by_key.values()), architecture.config)
    if not new:
        return target
    output_keys.note_single(settings, [] if by_key else [name for name, _ in outputs], journal)
    new = output_keys.fit_nested(config, new, journal)
    output_keys.note_names(config, journal)
    crossentropies.note_differences(config, new, version, journal)
    regularizers.note_frozen(config, journal)
    regularizers.note_outputs(config, origin.of_many_backends, journal)
    batch_statistics.note(config, origin, journal)
    if rewritten.other_loss and new["loss"]:
        journal.lose(COMPILE, rewritten.other_loss)
    return replace(target, config={**config, "compile_config": new})


def _compiled_with(checkpoint: Checkpoint, architecture: Architecture) -> tuple[Any, str | None]:
    """The compile settings of the source, and the version of Keras that wrote them.

    A checkpoint of TensorFlow has the state of an optimizer without settings. Those are in the file of the
    architecture."""
    config, version = architecture.config, checkpoint.producer.keras_version
    own = checkpoint.training_config or (config.get("compile_config") if isinstance(config, Mapping) else None)
    if own or not checkpoint.section(Section.OPTIMIZER):
        return own, version
    return architecture.training_config, version or architecture.version


def _outputs(architecture: Architecture, target: Architecture) -> list[tuple[str, str]]:
    """The names of the outputs of a model in the source and in the new config."""
    return [(old, new) for (old, _), (new, _) in zip(architecture.outputs, target.outputs, strict=False)]
