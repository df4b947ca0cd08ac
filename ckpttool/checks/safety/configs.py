"""The judges of single objects, led through every config of a checkpoint."""

from collections.abc import Iterator
from typing import Any

from ckpttool.checks.limits import few
from ckpttool.checks.rule import Finding, Rule
from ckpttool.checks.safety import sizes
from ckpttool.checks.safety.callables import CUSTOM_OBJECT, DISGUISED, SAVED_MODEL, UNSAFE_CALLABLE
from ckpttool.checks.safety.code import BYTES, LAMBDA_CODE, TORCH_MODULE
from ckpttool.checks.safety.members import config_in
from ckpttool.checks.safety.paths import PATH_IN_CONFIG, VOCABULARY_PATH
from ckpttool.checks.subject import Subject
from ckpttool.dangers import JUDGES, Kind
from ckpttool.dangers.walk import walk

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
    """What the configs of a checkpoint hold. That of an archive is read even where its weights cannot be, and where it
    is no object but a list, whose objects Keras makes all the same."""
    yield from few(_once(finding for name, value in _values(subject) for finding in _judged(value, name)))


def _judged(value: Any, name: str) -> Iterator[Finding]:
    for node in walk(value, name):
        for judge in JUDGES:
            yield from (Finding(_BY_KIND[one.kind], one.place, one.detail) for one in judge(node))
        for measure in sizes.JUDGES:
            yield from measure(node)


def _values(subject: Subject) -> Iterator[tuple[str, Any]]:
    checkpoint = subject.checkpoint
    if checkpoint is None or (checkpoint.config is None and checkpoint.kind.startswith("keras-")):
        yield "config", config_in(subject.path)
        return
    yield "config", checkpoint.config
    if not checkpoint.kind.startswith("keras-"):  # whose training_config is a part of the config
        yield "training_config", checkpoint.training_config


def _once(findings: Iterator[Finding]) -> Iterator[Finding]:
    """The findings, each custom object told where it stands first."""
    told = set[str]()
    for finding in findings:
        if finding.rule is CUSTOM_OBJECT:
            if finding.detail in told:
                continue
            told.add(finding.detail)
        yield finding


CHECKS = (configs,)
