"""The rules about single objects of a config, applied to every config of a checkpoint."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from ckpttool.checks.limits import cap_findings
from ckpttool.checks.rule import Finding, Outcome, Rule
from ckpttool.checks.safety import sizes
from ckpttool.checks.safety.callables import CUSTOM_OBJECT, DISGUISED, SAVED_MODEL, UNSAFE_CALLABLE
from ckpttool.checks.safety.code import BYTES, LAMBDA_CODE, TORCH_MODULE
from ckpttool.checks.safety.members import config_in
from ckpttool.checks.safety.paths import PATH_IN_CONFIG, VOCABULARY_PATH
from ckpttool.checks.subject import Subject
from ckpttool.dangers import Kind, dangers_of_node
from ckpttool.dangers.walk import walk

if TYPE_CHECKING:
    from ckpttool.checks.safety.saved_layers import SavedLayers

_BY_KIND: dict[Kind, Rule] = {
    Kind.LAMBDA_CODE: LAMBDA_CODE,
    Kind.TORCH_MODULE: TORCH_MODULE,
    Kind.BYTES: BYTES,
    Kind.UNSAFE_CALLABLE: UNSAFE_CALLABLE,
    Kind.DISGUISED: DISGUISED,
    Kind.CUSTOM_OBJECT: CUSTOM_OBJECT,
    Kind.SAVED_MODEL: SAVED_MODEL,
    Kind.OPENED_FILE: VOCABULARY_PATH,
    Kind.PATH: PATH_IN_CONFIG,
}


def configs(subject: Subject) -> Iterator[Finding]:
    """The dangers in the configs of a checkpoint.

    The config of an archive is read even where its weights cannot be read, and where it is a list instead of an object,
    as Keras makes the objects of a list all the same.
    """
    yield from cap_findings(_without_repeated_custom_objects(_of_configs(subject)))


def layers_of_saved_models(subject: Subject) -> Iterator[Outcome]:
    """The dangers in the metadata of each layer of a SavedModel, as far as its config does not have them.

    tf.keras makes each layer of its own metadata, also where the config of the model lists none. A class that it does
    not know is none that it needs.
    """
    layers = _saved_layers(subject)
    if layers is None:
        return
    yield from layers.unread
    reported = {(finding.rule, finding.detail) for finding in _of_configs(subject)}
    findings = (finding for name, value in layers.values() for finding in _findings_in(value, name, layers))
    yield from cap_findings(
        finding
        for finding in findings
        if finding.rule is not CUSTOM_OBJECT and (finding.rule, finding.detail) not in reported
    )


def _of_configs(subject: Subject) -> Iterable[Finding]:
    """The findings in the configs, for a SavedModel worked out once for both checks."""
    layers, checkpoint = _saved_layers(subject), subject.checkpoint
    findings = (finding for name, value in _values(subject) for finding in _findings_in(value, name, layers))
    if layers is None or checkpoint is None:
        return findings
    layers.take_root(checkpoint.config)
    return checkpoint.facts.once("findings in configs", tuple, findings)


def _saved_layers(subject: Subject) -> SavedLayers | None:
    """The layers of a SavedModel, read once; None where it has none of Keras, and for other formats."""
    checkpoint = subject.checkpoint
    if checkpoint is None or checkpoint.saved_model is None or not checkpoint.saved_model.keras_objects:
        return None
    from ckpttool.checks.safety.saved_layers import SavedLayers  # here, since only SavedModels have them

    return checkpoint.facts.once("saved layers", SavedLayers.of, checkpoint.saved_model)


def _findings_in(value: Any, name: str, layers: SavedLayers | None) -> Iterator[Finding]:
    for node in walk(value, name):
        for danger in dangers_of_node(node):
            if danger.kind is not Kind.OPENED_FILE or layers is None or not layers.makes_elsewhere(node):
                yield Finding(_BY_KIND[danger.kind], danger.place, danger.detail)
        for measure in sizes.JUDGES:
            yield from measure(node)


def _values(subject: Subject) -> Iterator[tuple[str, Any]]:
    checkpoint = subject.checkpoint
    if checkpoint is None or (checkpoint.config is None and checkpoint.format.is_native):
        yield "config", config_in(subject.path)
        return
    yield "config", checkpoint.config
    if not checkpoint.format.is_native:  # whose training_config is a part of the config
        yield "training_config", checkpoint.training_config


def _without_repeated_custom_objects(findings: Iterable[Finding]) -> Iterator[Finding]:
    """The findings; each custom object is reported only at its first place."""
    reported = set[str]()
    for finding in findings:
        if finding.rule is CUSTOM_OBJECT:
            if finding.detail in reported:
                continue
            reported.add(finding.detail)
        yield finding


CHECKS = (configs, layers_of_saved_models)
