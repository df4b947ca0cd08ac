"""Dtype policies in all spellings of configs: the dtypes of a layer's variables and computation, its quantization.

A policy is a name ("float32", "mixed_bfloat16", "int8_from_float32", "int4/128_from_float32"), an object with the name
or its pieces, or a map from layers to such (keras/src/dtype_policies/dtype_policy.py and dtype_policy_map.py, 3.15).
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from ckpttool.io import scalars
from ckpttool.io.dtypes import DTYPES, FLOATS

MODES = ("int8", "int4", "float8", "gptq", "awq")
HISTORY = 1024  # `QuantizedFloat8DTypePolicy.default_amax_history_length`

_MIXED = frozenset({"mixed_float16", "mixed_bfloat16"})
_INTEGERS = frozenset(name for name in DTYPES if "int" in name)
_OTHERS = {
    "float": "float32",
    "int": "int64",
    "half": "float16",
    "double": "float64",
    "bool": "bool",
    "string": "string",
}

_CONFIG_MODES = {"Int4QuantizationConfig": "int4", "GPTQConfig": "gptq", "AWQConfig": "awq"}
_GROUP_KEYS = ("block_size", "group_size")


class Policy(NamedTuple):
    """The dtypes of variables and of computation, and for a quantized layer its mode with the settings of that mode.

    `group` is the number of values that share a scale, None where a whole channel does. `history` is the length of
    float8's records of maxima.
    """

    variable_dtype: str = "float32"
    compute_dtype: str = "float32"
    mode: str | None = None
    bits: int = 4
    group: int | None = None
    history: int = HISTORY


def read_policy(dtype: Any, quantization: Any = None, path: tuple[str, ...] = ()) -> Policy:
    """The policy of the layer at `path` by its argument `dtype`; `quantization` is its `quantization_config`.

    Raises ValueError with the expected values.
    """
    name, history = _named(dtype, path)
    mode_text, parted, source = name.rpartition("_from_")
    if not parted:
        return Policy(*_dtypes(name))
    mode, *settings = mode_text.split("/")
    if mode not in MODES:
        raise ValueError(f"a mode of quantization: {', '.join(MODES)}")
    numbers = _settings(mode, quantization) or [_number(text) for text in settings]
    return Policy(*_dtypes(source), mode, *_bits_and_group(mode, numbers), history)


def _named(dtype: Any, path: tuple[str, ...]) -> tuple[str, int]:
    """The name of a policy in its full spelling, and float8's length of history."""
    if dtype is None:
        return "float32", HISTORY
    if isinstance(dtype, str):
        return dtype, HISTORY
    config = dtype.get("config") if isinstance(dtype, Mapping) else None
    if not isinstance(config, Mapping):
        raise ValueError("the name of a dtype or a dtype policy")
    if dtype.get("class_name") == "DTypePolicyMap":
        return _named(_mapped(config, path), path)
    if "mode" not in config:
        return _text(config.get("name") or "float32"), HISTORY
    name = f"{_text(config['mode'])}_from_{_text(config.get('source_name') or 'float32')}"
    return name, _count(config.get("amax_history_length", HISTORY))


def _mapped(config: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    """The policy of the layer at `path`, which may lack the names of models around it.

    Keras also takes the keys of the map as regular expressions. Those are a stranger's, and are not run here.
    """
    policies = config.get("policy_map")
    own = "/".join(path)
    policy = config.get("default_policy")
    if isinstance(policies, Mapping):
        policy = next((policy for key, policy in policies.items() if f"/{key}".endswith(f"/{own}")), policy)
    if isinstance(policy, Mapping) and policy.get("class_name") == "DTypePolicyMap":
        raise ValueError("a map from layers to dtype policies, not to maps")
    return policy


def _dtypes(name: str) -> tuple[str, str]:
    """The dtypes of variables and of computation; with mixed precision, variables are float32."""
    if name in _MIXED:
        return "float32", name.removeprefix("mixed_")
    known = name if name in FLOATS or name in _INTEGERS else _OTHERS.get(name)
    if known is None:
        raise ValueError("the name of a dtype or a dtype policy")
    return known, known


def _settings(mode: str, quantization: Any) -> list[int]:
    """The settings in a `quantization_config`, which overrides the name of the policy.

    `get_block_size_for_layer`, keras/src/quantizers/quantization_config.py; gptq_core.py and awq_core.py alike, 3.15.
    """
    if not isinstance(quantization, Mapping) or _CONFIG_MODES.get(str(quantization.get("class_name"))) != mode:
        return []
    config = quantization.get("config")
    if not isinstance(config, Mapping):
        return []
    group = next((config[key] for key in _GROUP_KEYS if config.get(key) is not None), -1)
    return [_number(group)] if mode == "int4" else [_number(config.get("weight_bits", 4)), _number(group)]


def _bits_and_group(mode: str, numbers: list[int]) -> tuple[int, int | None]:
    """The bits of a weight and the number of values that share a scale, from the settings of a mode."""
    expected = {"int4": (0, 1), "gptq": (2,), "awq": (2,)}.get(mode, (0,))
    if len(numbers) not in expected:
        raise ValueError("a mode of quantization with its settings, such as int4/128 or gptq/4/128")
    group = numbers[-1] if numbers else -1
    if group == 0 or group < -1:
        raise ValueError("a positive number of values that share a scale, or -1")
    return numbers[0] if len(numbers) == 2 else 4, None if group == -1 else group


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("the name of a dtype or a dtype policy")
    return value


def _number(value: Any) -> int:
    if isinstance(value, str):
        value = scalars.signed_digits(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError("a whole number as a setting of quantization")
    return value


def _count(value: Any) -> int:
    number = _number(value)
    if not 0 < number < 2**63:
        raise ValueError("a positive length of the history of maxima")
    return number
