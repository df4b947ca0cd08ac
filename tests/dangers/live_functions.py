"""The acts of TensorFlow's functions beside computing: the content of ckpttool/dangers/functions.json.

Each TensorFlow tells of itself: `python tests/dangers/live_functions.py > 2.15.json`, which needs nothing but
TensorFlow (2.4 and later, Python 3.8 and later). `python -m tests.dangers.live_functions 2.4.json ... 2.21.json` then
writes the table, in which the newest TensorFlow that has a name decides about it.

A function passes where tf.keras may write it, because TensorFlow hands calls of it on a model's tensors to Keras
(`dispatch`), and where its code, followed through TensorFlow's modules of arithmetic, meets nothing but operations
without side effects. An operation passes where the registry says that it keeps no state (random numbers and checks of
values are listed below), where it has neither functions nor resources among its inputs, and no text among its
attributes but those listed here: a text may be the name of a file, as `memory_region_name` of ImmutableConst is.
"""

from __future__ import annotations

import builtins
import dis
import json
import os
import sys
import types
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# The generated modules of operations that compute.
OPERATIONS = frozenset({
    "array", "audio", "bitwise", "candidate_sampling", "clustering", "count", "ctc", "data_flow", "image",
    "linalg", "logging", "manip", "math", "nn", "parsing", "ragged_array", "ragged_conversion", "ragged_math",
    "random", "random_index_shuffle", "rnn", "set", "sparse", "special_math", "spectral", "stateless_random",
    "stateless_random_ops_v2", "string", "uniform_quant",
})  # fmt: skip
# Operations that count as stateful and touch nothing: they draw numbers, or fail where a value is wrong.
HARMLESS = frozenset({
    "Assert", "CheckNumerics", "CheckNumericsV2", "Empty", "GuaranteeConst", "Multinomial",
    "ParameterizedTruncatedNormal", "RandomCrop", "RandomGamma", "RandomPoisson", "RandomPoissonV2",
    "RandomShuffle", "RandomStandardNormal", "RandomUniform", "RandomUniformInt", "SampleDistortedBoundingBox",
    "SampleDistortedBoundingBoxV2", "StatelessRandomGetAlg", "TruncatedNormal",
})  # fmt: skip
# Operations that take a stranger's bytes apart, that write a log, or that belong to a training, in the modules above.
NOT = [
    "AudioSummary", "Decode", "Deserialize", "Encode", "HistogramSummary", "ImageSummary", "MergeSummary", "Parse",
    "ScalarSummary", "Serialize", "TensorArray", "TensorSummary",
]  # fmt: skip
BUT = frozenset(["DecodeBase64", "DecodePaddedRaw", "DecodeRaw", "EncodeBase64", "NoOp"])
# Attributes that are texts and name no file.
TEXTS = frozenset({
    "align", "bad_indices_policy", "data_format", "dct_method", "dimension_numbers", "direction", "dst_format",
    "encoding", "equation", "errors", "fill", "fill_mode", "input_encoding", "input_mode", "input_order",
    "input_quant_mode", "interpolation", "kernel_type", "left_pad", "loss_type", "message", "method", "mode",
    "noise", "output_encoding", "padding", "pattern", "placeholder", "quantization_axis", "rewrite", "right_pad",
    "rnn_mode", "round_mode", "row_partition_types", "separator", "set_operation", "src_format", "template",
    "unit",
})  # fmt: skip

# The modules of functions that compute, below tensorflow.python.ops.
FUNCTIONS = frozenset({
    "array_ops", "array_ops_stack", "bincount_ops", "bitwise_ops", "check_ops", "clip_ops", "confusion_matrix",
    "control_flow_assert", "ctc_ops", "embedding_ops", "histogram_ops", "image_ops", "image_ops_impl", "init_ops",
    "init_ops_v2", "linalg_ops", "linalg_ops_impl", "losses.losses_impl", "losses.util", "manip_ops", "math_grad",
    "math_ops", "nn", "nn_impl", "nn_impl_distribute", "nn_ops", "numerics", "parsing_ops", "random_crop_ops",
    "random_ops", "random_ops_util", "sets_impl", "shape_util", "sort_ops", "sparse_ops", "special_math_ops",
    "stateless_random_ops", "string_ops", "tensor_getitem_override", "weights_broadcast_ops",
})  # fmt: skip
PACKAGES = ("linalg.", "ragged.", "signal.")
# What they are built with: graphs, loops and conversions, into which a config puts no function of its choice.
MACHINERY = frozenset({
    "cond", "cond_v2", "control_flow_case", "control_flow_ops", "control_flow_util", "control_flow_util_v2",
    "control_flow_v2_toggles", "custom_gradient", "functional_ops", "gradients_util", "handle_data_util",
    "list_ops", "map_fn", "op_selector", "parallel_for", "resource_variable_ops", "tensor_array_ops",
    "variable_scope", "variables", "while_loop", "while_v2",
})  # fmt: skip
# What of the rest of TensorFlow, of Python and of NumPy they may meet.
BELOW = ("tensorflow.python.framework.", "tensorflow.python.eager.", "tensorflow.python.util.")
BESIDE = (
    "tensorflow.core.config.flags", "tensorflow.dtensor.python.api", "tensorflow.python.autograph.",
    "tensorflow.python.compat.compat", "tensorflow.python.distribute.", "tensorflow.python.platform.device_context",
    "tensorflow.python.platform.tf_logging", "tensorflow.python.types.", "abc", "collections", "enum", "functools",
    "itertools", "math", "numbers", "numpy", "operator", "opt_einsum", "re", "six", "string", "typing", "_operator",
    "_functools", "tensorflow.python.tf2", "tensorflow.python.util", "tensorflow.compiler.tf2xla.ops.gen_xla_ops",
    "_warnings", "copy", "hashlib", "uuid", "contextlib", "_collections", "_abc",
)  # fmt: skip
# Names that `convert` takes and no TensorFlow has, under which nothing is called.
CONVERTED = ("log", "math.floor_div", "math.floor_mod", "nn.log_sigmoid")
# Functions of other modules that compute.
ALSO = frozenset(("compat.v1.convert_to_tensor", "convert_to_tensor"))
# Functions that call one that they are given, which no config can give them.
CALLING = ("conjugate_gradient", "map_flat_values", "map_values", "with_space_to_batch")
NEVER = frozenset({
    "__import__", "breakpoint", "compile", "eval", "exec", "exit", "globals", "input", "open", "print", "quit",
    "fromfile", "genfromtxt", "load", "loadtxt", "memmap", "save", "savetxt", "savez", "tofile",
})  # fmt: skip


def table() -> dict[str, Any]:
    """The functions that the installed TensorFlow lets a config call: its version, all names, those of functions that
    pass, and the operations that pass."""
    import tensorflow as tf

    symbols = _symbols()
    functions = [
        name for name, symbol in symbols.items() if _is_written(name, symbol) and (name in ALSO or _computes(symbol))
    ]
    return {
        "version": tf.__version__,
        "known": sorted({*symbols, *(f"node {op}" for op in _operations())}),
        "functions": sorted(functions),
        "nodes": sorted(op for op, module in _operations().items() if _is_pure(op, module)),
    }


def _symbols() -> dict[str, Any]:
    """Everything that a TFOpLambda may name (`get_symbol_from_name`, tensorflow/python/util/tf_export.py)."""
    import tensorflow  # noqa: F401
    from tensorflow.python.util import tf_export

    symbols: dict[str, Any] = tf_export._NAME_TO_SYMBOL_MAPPING
    if not symbols:
        tf_export.get_symbol_from_name("")
    return symbols


def _is_written(name: str, value: Any) -> bool:
    """Whether TensorFlow hands a call of it to Keras; functions of Keras are judged by the table of what models are
    made of, operations as nodes of a graph."""
    is_dispatched = hasattr(value, "_tf_fallback_dispatchers") or hasattr(value, "_tf_dispatchers")
    place = name[len("compat.v1.") :] if name.startswith("compat.v1.") else name
    return is_dispatched and not place.startswith(("keras.", "raw_ops.")) and not place.endswith(CALLING)


@lru_cache(maxsize=None)  # noqa: UP033 (Python 3.8, which TensorFlow 2.4 needs)
def _operations() -> dict[str, str]:
    """The module that generated code keeps each operation in, without `gen_`."""
    functions: dict[str, str] = {}
    for name, module in sorted(sys.modules.items()):
        if ".ops.gen_" in name:
            short = name.rpartition(".gen_")[2]
            short = short[: -len("_ops")] if short.endswith("_ops") else short
            own = [key for key, value in vars(module).items() if getattr(value, "__module__", "") == name]
            functions.update({key: short for key in own if key[:1].isupper() and _op_def(key) is not None})
    return functions


def _op_def(name: str) -> Any:
    from tensorflow.python.framework import op_def_registry

    get = getattr(op_def_registry, "get", None)
    return get(name) if get else op_def_registry.get_registered_ops().get(name)


def _is_pure(op: str, module: str) -> bool:
    definition = _op_def(op)
    if definition.is_stateful and op not in HARMLESS:
        return False
    if op not in BUT and (module not in OPERATIONS or op.startswith(tuple(NOT))):
        return False
    texts = {attribute.name for attribute in definition.attr if attribute.type in ("string", "list(string)")}
    is_called = any(attribute.type in ("func", "list(func)") for attribute in definition.attr)
    resources = [
        argument
        for argument in (*definition.input_arg, *definition.output_arg)
        if argument.type in (20, 21) or argument.is_ref
    ]
    return texts <= TEXTS and not is_called and not resources


def _computes(function: Any) -> bool:
    """Whether nothing but arithmetic is met from a function on."""
    start = _plain(function)
    if not isinstance(start, types.FunctionType) or not _is_arithmetic(start.__module__):
        return False
    seen: set[int] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if id(name) in seen:
            continue
        seen.add(id(name))
        if ".gen_" in name.__module__:
            if not _is_generated_pure(name):
                return False
        elif _is_arithmetic(name.__module__):
            met = [_plain(value) for value in _met(name)]
            if not all(map(_may_be_met, met)):
                return False
            waiting += [value for value in met if isinstance(value, types.FunctionType)]
    return True


def _is_generated_pure(function: types.FunctionType) -> bool:
    """Whether a function of a generated module stands for an operation that passes: that of its name."""
    return _generated().get(function.__name__.replace("_eager_fallback", "").replace("_", "").lower(), False)


@lru_cache(maxsize=None)  # noqa: UP033 (Python 3.8, which TensorFlow 2.4 needs)
def _generated() -> dict[str, bool]:
    """Whether the operation passes that has this name in small letters."""
    return {op.lower(): _is_pure(op, module) for op, module in _operations().items()}


def _is_arithmetic(module: str) -> bool:
    short = module.replace("tensorflow.python.ops.", "") if module.startswith("tensorflow.python.ops.") else ""
    return short in FUNCTIONS or short.startswith(PACKAGES) or short.startswith("gen_")


def _may_be_met(value: Any) -> bool:
    """Whether a function of arithmetic may refer to it; functions of arithmetic are followed besides."""
    if not callable(value) and not isinstance(value, types.ModuleType):
        return True
    module = value.__name__ if isinstance(value, types.ModuleType) else getattr(value, "__module__", None) or "builtins"
    if getattr(value, "__name__", "") in NEVER:
        return False
    if module.startswith("tensorflow.python.ops"):
        short = module[len("tensorflow.python.ops") :].lstrip(".")
        return not short or _is_arithmetic(module) or short.partition(".")[0] in MACHINERY
    is_known = module == "builtins" or module.startswith(BELOW) or module in BESIDE
    return is_known or module.startswith(tuple(f"{package.rstrip('.')}." for package in BESIDE))


def _plain(value: Any) -> Any:
    """A function without its decorators."""
    from tensorflow.python.util import tf_decorator

    if not callable(value) or isinstance(value, type):
        return value
    value = tf_decorator.unwrap(value)[1]
    while hasattr(value, "__wrapped__"):
        value = value.__wrapped__
    return value


def _met(function: types.FunctionType) -> Iterator[Any]:
    """The values that the code of a function refers to by global names, also through modules."""
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    outer = dict(zip(function.__code__.co_freevars, cells))  # noqa: B905 (Python 3.8)
    nothing = object()
    for code in _codes(function.__code__):
        value: Any = nothing
        for step in dis.get_instructions(code):
            if step.opname in ("LOAD_ATTR", "LOAD_METHOD") and isinstance(value, types.ModuleType):
                value = getattr(value, step.argval, nothing)
                continue
            if step.opname in ("CACHE", "NOP", "PRECALL", "PUSH_NULL"):
                continue
            if value is not nothing:
                yield value
            value = nothing
            if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
                value = function.__globals__.get(step.argval, getattr(builtins, step.argval, nothing))
            elif step.opname == "LOAD_DEREF":
                value = outer.get(step.argval, nothing)


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def merged(tables: list[dict[str, Any]]) -> dict[str, Any]:
    """The table of several versions, in which the newest one that knows a name decides."""
    newest = sorted(tables, key=lambda table: [int(part) for part in table["version"].split(".")[:2]])
    verdicts: dict[str, bool] = {}
    for table in newest:
        passing = {*table["functions"], *(f"node {op}" for op in table["nodes"])}
        verdicts.update({name: name in passing for name in table["known"]})
    passing = {name for name, passes in verdicts.items() if passes}
    functions = [*CONVERTED, *(name for name in passing if not name.startswith("node "))]
    nodes = sorted(name[len("node ") :] for name in passing if name.startswith("node "))
    return {
        "versions": [table["version"] for table in newest],
        "functions": _by_module(functions),
        "nodes": " ".join(nodes),
    }


def _by_module(names: list[str]) -> dict[str, str]:
    functions: dict[str, list[str]] = {}
    for name in sorted(names):
        module, _, short = name.rpartition(".")
        functions.setdefault(module, []).append(short)
    return {module: " ".join(functions[module]) for module in sorted(functions)}


if __name__ == "__main__":
    if len(sys.argv) == 1:
        sys.stdout.write(json.dumps(table()))
    else:
        path = Path(__file__).parents[2] / "ckpttool" / "dangers" / "functions.json"
        content = merged([json.loads(Path(path).read_text(encoding="utf-8")) for path in sys.argv[1:]])
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
