"""Predicates of plain values: numbers, lists and shapes as Keras's constructors look at them."""

from typing import Any

from ckpttool.io import scalars
from ckpttool.model.buildability.shapes import is_dtype, standard_shape


def number(value: Any) -> bool:
    """Whether a value is a number, as which true and false count."""
    return isinstance(value, int | float)


def positive(value: Any) -> bool:
    """Whether a value is a number above 0."""
    return isinstance(value, int | float) and value > 0


def integer(value: Any) -> bool:
    """Whether a value is a whole number, as which true and false count."""
    return isinstance(value, int)


def strict_integer(value: Any) -> bool:
    """Whether a value is a whole number, and neither true nor false."""
    return isinstance(value, int) and not isinstance(value, bool)


def listed(value: Any, length: int) -> bool:
    """Whether a value is a list of `length` items."""
    return isinstance(value, list | tuple) and len(value) == length


def window(value: Any, rank: int, least: int = 1) -> bool:
    """Whether a value is a whole number or `rank` numbers, none below `least`, which is 0 or 1 (`standardize_tuple`,
    keras/src/utils/argument_validation.py)."""
    if isinstance(value, int):
        return value >= least
    if not listed(value, rank):
        return False
    return all(number(item) and (item > 0 or (least == 0 and item == 0)) for item in value)


def null_or_window(value: Any, rank: int) -> bool:
    """Whether a value is null, a whole number, or `rank` numbers, none of them below 0."""
    return value is None or window(value, rank, 0)


def sizes(value: Any, rank: int) -> bool:
    """Whether a value is a whole number or a list of `rank` items."""
    return isinstance(value, int) or listed(value, rank)


def crops(value: Any, rank: int) -> bool:
    """Whether a value is a whole number of 0 at least, or pairs for `rank` axes."""
    return borders(value, rank) and not (isinstance(value, int) and value < 0)


def two_axes(value: Any) -> bool:
    """Whether a value is a whole number or two of them (`Dot`)."""
    return isinstance(value, int) or (listed(value, 2) and all(isinstance(item, int) for item in value))


def thresholds(value: Any) -> bool:
    """Whether a value is null, a number from 0 to 1 or a list of such."""
    every = value if isinstance(value, list | tuple) else [] if value is None else [value]
    return all(number(item) and 0 <= item <= 1 for item in every)


def numbers_or_null(value: Any) -> bool:
    """Whether a value is null, a number, or a list of numbers of any depth."""
    if isinstance(value, list | tuple):
        return all(item is not None and numbers_or_null(item) for item in value)
    return value is None or number(value)


def padding(value: Any, *names: str) -> bool:
    """Whether a value is one of some names in any case; a list is not looked at (`standardize_padding`)."""
    return isinstance(value, list | tuple) or (isinstance(value, str) and value.lower() in names)


def shape(value: Any) -> bool:
    """Whether Keras makes a shape of a value; an empty string or object is an empty list to it."""
    return standard_shape(value) is not None or value in ("", {})


def dtype_name(value: Any) -> bool:
    """Whether a value is the name of a dtype, or null."""
    return is_dtype(value)


def policy_name(value: Any) -> bool:
    """Whether a value is the name of a dtype or of mixed precision, or null."""
    return is_dtype(value) or value in ("mixed_float16", "mixed_bfloat16")


def borders(value: Any, rank: int) -> bool:
    """Whether a value is a whole number, or for each of `rank` axes a number or a pair of 0 at least."""
    return isinstance(value, int) or (listed(value, rank) and all(window(item, 2, 0) for item in value))


def permutation(value: Any) -> bool:
    """Whether a value holds the numbers from 1 on, each once (`Permute`)."""
    if not isinstance(value, list | tuple) or not all(number(item) for item in value):
        return value in ("", {})
    return sorted(value) == list(range(1, len(value) + 1))


def noise_shape(value: Any) -> bool:
    """Whether a value is null or a list of positive whole numbers and nulls (`Dropout`)."""
    if not isinstance(value, list | tuple):
        return value in (None, {})
    return all(item is None or (isinstance(item, int) and item > 0) for item in value)


def target_shape(value: Any) -> bool:
    """Whether a value is a list of sizes (`Reshape`)."""
    return isinstance(value, list | tuple | str | dict)


def mode(value: Any) -> bool:
    """Whether a value is a mode of quantization (`QuantizedDTypePolicy`)."""
    return isinstance(value, str) and value in ("int8", "float8", "int4", "gptq", "awq")


def mode_of(value: Any, kind: str) -> bool:
    """Whether a value is a mode of quantization with its settings, such as `gptq/4/128`."""
    if not isinstance(value, str):
        return False
    name, *settings = value.split("/")
    numbers = [number for number in map(scalars.signed_digits, settings) if number is not None]
    if name != kind or len(numbers) < len(settings):
        return False
    if not numbers or numbers[-1] < -1 or numbers[-1] == 0:
        return False
    widths = {"int4": (), "gptq": (2, 3, 4, 8), "awq": (4,)}[kind]
    return numbers[:-1] == [] if not widths else len(numbers) == 2 and numbers[0] in widths


def factor(value: Any, low: int, high: int) -> bool:
    """Whether a value is a number within bounds, or two whose range overlaps that of the bounds
    (`BaseImagePreprocessingLayer._set_factor`)."""
    if listed(value, 2) and all(map(number, value)):
        return bool(value[0] <= high and value[1] >= low)
    return number(value) and low <= value <= high


def null_or_factor(value: Any, low: int, high: int) -> bool:
    """Whether a value is null, or such a factor."""
    return value is None or factor(value, low, high)


def within(value: Any, low: int, high: int) -> bool:
    """Whether a value is a number within bounds, or two of them (`RandomShear`)."""
    return all(number(item) and low <= item <= high for item in (value if listed(value, 2) else [value]))


def zoom(value: Any) -> bool:
    """Whether a value is a number above -1 and up to 1, or two of them (`RandomZoom`)."""
    return within(value, -1, 1) and -1 not in (value if listed(value, 2) else [value])


def growth(value: Any) -> bool:
    """Whether a value is a number from 0 to 1, or bounds above -1 in their order (`RandomHeight`)."""
    if not isinstance(value, list | tuple):
        return number(value) and 0 <= value <= 1
    return len(value) > 1 and all(map(number, value[:2])) and -1 <= value[0] <= value[1]


def odd(value: Any) -> bool:
    """Whether a value is an odd number, or two of them (`RandomGaussianBlur`)."""
    return all(number(item) and item % 2 for item in (value if listed(value, 2) else [value]))


def value_range(value: Any) -> bool:
    """Whether a value is a list of two that have an order."""
    return listed(value, 2) and any(all(isinstance(item, kind) for item in value) for kind in (int | float, str, list))


def ngrams(value: Any) -> bool:
    """Whether a value is null, a whole number or a list of them (`TextVectorization`)."""
    return all(map(integer, value if isinstance(value, list | tuple) else [] if value is None else [value]))
