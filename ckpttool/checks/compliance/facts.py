"""Requirements that the checkpoint alone shows to be met or not: dtypes, sizes, versions, classes, an optimizer."""

import fnmatch
from collections.abc import Callable, Iterable, Iterator

from ckpttool.checkpoint import Checkpoint, Section, Weight
from ckpttool.checks.compliance.rules import (
    CUSTOM_OBJECT,
    DTYPE,
    KERAS_VERSION,
    LAYER_FORBIDDEN,
    LAYER_MISSING,
    OPTIMIZER,
    TOO_LARGE,
    TOO_MANY_PARAMETERS,
)
from ckpttool.checks.compliance.versions import Range
from ckpttool.checks.failures import one_line
from ckpttool.checks.requirements import Requirements
from ckpttool.checks.rule import Finding, Outcome, Unchecked
from ckpttool.checks.subject import Subject
from ckpttool.dangers import Kind, dangers_in
from ckpttool.dangers.walk import walk
from ckpttool.errors import CheckpointError

_COUNTER = 2  # values of an integer weight that is a counter or a seed


def facts(subject: Subject) -> Iterator[Outcome]:
    """The requirements that the checkpoint does not meet, or does not allow to check."""
    if subject.checkpoint is not None:
        for fact in (_dtypes, _sizes, _version, _layers, _custom_objects, _optimizer):
            yield from fact(subject.checkpoint, subject.policy.requirements)


def _dtypes(checkpoint: Checkpoint, required: Requirements) -> Iterator[Outcome]:
    if not required.dtypes:
        return
    others = dict[str, list[Weight]]()
    for weight in checkpoint.section(Section.MODEL):
        if weight.dtype not in required.dtypes and not _is_counter(weight):
            others.setdefault(weight.dtype, []).append(weight)
    for dtype, weights in others.items():
        yield Finding(DTYPE, weights[0].path, f"{len(weights):,} weights are {dtype}, {_allowed(required.dtypes)}")


def _is_counter(weight: Weight) -> bool:
    return "int" in weight.dtype and weight.size <= _COUNTER


def _allowed(names: Iterable[str]) -> str:
    return f"allowed: {', '.join(names) or 'none'}"


def _sizes(checkpoint: Checkpoint, required: Requirements) -> Iterator[Outcome]:
    if required.max_size and checkpoint.size > required.max_size:
        yield Finding(TOO_LARGE, "", f"{checkpoint.size:,} bytes, at most {required.max_size:,} are allowed")
    count = sum(weight.size for weight in checkpoint.section(Section.MODEL))
    if required.max_parameters and count > required.max_parameters:
        yield Finding(TOO_MANY_PARAMETERS, "", f"{count:,}, at most {required.max_parameters:,} are allowed")


def _version(checkpoint: Checkpoint, required: Requirements) -> Iterator[Outcome]:
    if not required.keras:
        return
    version = checkpoint.producer.keras_version
    try:
        wanted = Range.of(required.keras)
    except CheckpointError as error:
        yield Unchecked("", one_line(error))
        return
    if version is None:
        yield Unchecked("", f"Keras {required.keras} is required, and the file does not say which Keras wrote it")
    elif version not in wanted:
        yield Finding(KERAS_VERSION, "", f"written by Keras {version}, required {required.keras}")


def _layers(checkpoint: Checkpoint, required: Requirements) -> Iterator[Outcome]:
    if not (required.required_layers or required.forbidden_layers):
        return
    if checkpoint.config is None:
        yield Unchecked("", "layers are required or forbidden, and the file stores no config")
        return
    classes = dict(_classes(checkpoint.config))
    for glob in required.required_layers:
        if not fnmatch.filter(classes, glob):
            yield Finding(LAYER_MISSING, "config", f"no class matches {glob}")
    for glob in required.forbidden_layers:
        for name in fnmatch.filter(classes, glob):
            yield Finding(LAYER_FORBIDDEN, classes[name], f"{name}, which {glob} forbids")


def _classes(config: object) -> Iterator[tuple[str, str]]:
    """The class names in a config, at any depth and without the packages of registered ones, each with its place."""
    for node in walk(config, "config"):
        name = node.value.get("class_name") if isinstance(node.value, dict) else None
        if isinstance(name, str):
            yield name.rpartition(">")[2], node.place


def _custom_objects(checkpoint: Checkpoint, required: Requirements) -> Iterator[Outcome]:
    if "*" in required.custom_objects:
        return
    if checkpoint.config is None:
        yield Unchecked("", "custom objects are restricted, and the file stores no config")
    reported = set[str]()
    for key in ("config", "training_config"):
        for danger in dangers_in(getattr(checkpoint, key), key):
            name = danger.detail
            if danger.kind is Kind.CUSTOM_OBJECT and name not in reported and not _is_allowed(name, required):
                reported.add(name)
                yield Finding(CUSTOM_OBJECT, danger.place, f"{name}, {_allowed(required.custom_objects)}")


def _is_allowed(name: str, required: Requirements) -> bool:
    """Whether a glob of the requirements matches a name as it is in the config, or without its module or package."""
    short = name.replace(">", ".").rpartition(".")[2]
    return any(
        fnmatch.fnmatchcase(class_name, glob) for class_name in (name, short) for glob in required.custom_objects
    )


def _optimizer(checkpoint: Checkpoint, required: Requirements) -> Iterator[Outcome]:
    state = checkpoint.section(Section.OPTIMIZER)
    if required.no_optimizer and state:
        nbytes = sum(weight.nbytes for weight in state)
        yield Finding(OPTIMIZER, state[0].path, f"{len(state):,} variables, {nbytes:,} bytes")


CHECKS: tuple[Callable[[Subject], Iterator[Outcome]], ...] = (facts,)
