"""Which Keras loads a checkpoint, and what `ckpttool convert` would do about it.

Of a model that Keras 3 wrote and builds there is nothing to say but what it has to be given for that, and, where it is
asked for, that Keras 2 does not open it: code in it is a matter of safety.
"""

from collections.abc import Callable, Iterable, Iterator

from ckpttool.checkpoint import Checkpoint
from ckpttool.checks.portability.rules import NEEDS_KERAS_3, OWN_OBJECTS, REFUSED, RULES
from ckpttool.checks.rule import Finding, Told
from ckpttool.checks.subject import Subject
from ckpttool.model.buildability import Obstacle, buildability_of
from ckpttool.model.generations.generation import Generation, generation_of
from ckpttool.model.unlisted import is_of_keras


def portability(subject: Subject) -> Iterator[Told]:
    """What stands between a model and Keras 3."""
    checkpoint, architecture = subject.checkpoint, subject.architecture
    if checkpoint is None:
        return
    if checkpoint.kind == "keras0-weights":
        yield Finding(REFUSED, "", "the layout of Keras 0.x, in which Keras 3 finds no layers")
    if architecture is not None and is_of_keras(architecture):
        yield from _obstacles(checkpoint)
    if architecture is None or not architecture.layers or subject.alignment_error is not None:
        return
    yield from _obstacles(checkpoint)
    generation = generation_of(architecture.config, checkpoint.producer.keras_version)
    if generation is not Generation.KERAS_3:
        from ckpttool.checks.portability.plans import told  # converting is not needed for the files of today

        yield from told(checkpoint, architecture, generation)
    elif subject.policy.asks_for(NEEDS_KERAS_3.code):
        yield Finding(NEEDS_KERAS_3, "config", f"in the words of {_writer(checkpoint)}, which Keras 2 does not open")


def _writer(checkpoint: Checkpoint) -> str:
    version = checkpoint.producer.keras_version
    return f"Keras 3 ({version})" if version else "Keras 3"


def _obstacles(checkpoint: Checkpoint) -> Iterator[Told]:
    """What Keras 3 raises on when it builds the model, and what when it compiles it."""
    found = buildability_of(checkpoint)
    if found is None:
        return
    yield from _gathered(found.obstacles, "config", "")
    yield from _gathered(found.compile_obstacles, "compile", "; load_model(compile=False) leaves it out")
    own = found.own_names(found.compiles)
    if own and found.builds:
        yield Finding(OWN_OBJECTS, "config", f"load_model has to be given {', '.join(own)}")


def _gathered(obstacles: Iterable[Obstacle], place: str, remark: str) -> Iterator[Told]:
    """One finding for each reason: where it is first, and how often."""
    places = dict[tuple[str, str], list[str]]()
    for one in obstacles:
        places.setdefault((one.class_name, one.reason), []).append(one.where or place)
    for (_, reason), where in places.items():
        more = f", and in {len(where) - 1:,} more places" if where[1:] else ""
        yield Finding(REFUSED, where[0], f"{reason}{more}{remark}")


CHECKS: tuple[Callable[[Subject], Iterator[Told]], ...] = (portability,)

__all__ = ["CHECKS", "RULES"]
