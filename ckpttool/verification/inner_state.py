"""The state of an optimizer of a model inside the model, such as that of a GAN's discriminator.

Keras compiles such a model while it reads the config, for the weights that are trained then, and loads none of the
optimizer's variables where the file has another number of them (`compile_from_config`,
keras/src/trainers/trainer.py; `load_own_variables`, keras/src/optimizers/base_optimizer.py, 3.15).
"""

from collections import Counter
from dataclasses import replace

from ckpttool.checkpoint import Checkpoint, Section
from ckpttool.model.config import Architecture
from ckpttool.model.spec import Spec, compiled_with, with_optimizer


def reason_for_skipped_state(architecture: Architecture | None, spec: Spec, checkpoint: Checkpoint) -> str:
    """The reason why Keras skips, with a warning, the variables that the optimizer of an inner model keeps for weights;
    empty where it loads them, or there are none."""
    state = [weight for weight in checkpoint.section(Section.OTHER) if "/optimizer/" in weight.path]
    for layer in architecture.layers if architecture and state else ():
        model = "/".join((*layer.place, ""))
        stored = [weight for weight in state if weight.path.startswith(f"{model}optimizer/")]
        if not any(weight.shape for weight in stored):
            continue
        inside = replace(spec, slots=tuple(slot for slot in spec.slots if slot.path.startswith(model)))
        compiled = with_optimizer(inside, compiled_with(layer.entry))
        expected = Counter(slot.path.rpartition("/")[0] for slot in compiled.optimizer)
        counts = Counter(weight.path.removeprefix(model).rpartition("/")[0] for weight in stored)
        if expected and expected != counts:
            numbers = f"{expected.total()} variables, the file {counts.total()}"
            return f"that of {layer.path} has {numbers}: Keras skips them all"
    return ""
