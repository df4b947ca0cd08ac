"""Rules about code and pickles inside a config."""

from ckpttool.checks.rule import Rule, Severity

LAMBDA_CODE = Rule(
    code="S101",
    name="lambda-code",
    family="safety",
    severity=Severity.ERROR,
    finds="Python bytecode in a config: a Lambda layer, or any other place that holds a function as code.",
    why="Whoever loads the model runs it, unless Keras refuses to (CVE-2024-3660, CVE-2025-9905, CVE-2026-12481).",
    remedy="Replace the lambda by a registered class or function, or by an operation of keras.ops, and save again.",
)

TORCH_MODULE = Rule(
    code="S106",
    name="torch-module",
    family="safety",
    severity=Severity.ERROR,
    finds="A TorchModuleWrapper, whose module is a pickle in the config.",
    why="Loading the model unpickles it, which can run anything (CVE-2025-49655).",
    remedy="Write the module's layers in Keras, or load it only where its author is trusted.",
)

BYTES = Rule(
    code="S108",
    name="bytes-in-config",
    family="safety",
    severity=Severity.WARNING,
    finds="Raw bytes as a value in a config.",
    why="No layer of Keras but TorchModuleWrapper has such; a custom class may unpickle them.",
    remedy="Find out which class reads them, and what it does with them.",
)

RULES = (LAMBDA_CODE, TORCH_MODULE, BYTES)
