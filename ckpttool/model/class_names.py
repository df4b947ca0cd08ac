"""Spellings of class names in Keras: public aliases, and the snake case in the paths of `.weights.h5`."""

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "AvgPool1D": "AveragePooling1D",
        "AvgPool2D": "AveragePooling2D",
        "AvgPool3D": "AveragePooling3D",
        "Convolution1D": "Conv1D",
        "Convolution1DTranspose": "Conv1DTranspose",
        "Convolution2D": "Conv2D",
        "Convolution2DTranspose": "Conv2DTranspose",
        "Convolution3D": "Conv3D",
        "Convolution3DTranspose": "Conv3DTranspose",
        "GlobalAvgPool1D": "GlobalAveragePooling1D",
        "GlobalAvgPool2D": "GlobalAveragePooling2D",
        "GlobalAvgPool3D": "GlobalAveragePooling3D",
        "GlobalMaxPool1D": "GlobalMaxPooling1D",
        "GlobalMaxPool2D": "GlobalMaxPooling2D",
        "GlobalMaxPool3D": "GlobalMaxPooling3D",
        "GroupQueryAttention": "GroupedQueryAttention",
        "MaxPool1D": "MaxPooling1D",
        "MaxPool2D": "MaxPooling2D",
        "MaxPool3D": "MaxPooling3D",
        "Model": "Functional",
        "SeparableConvolution1D": "SeparableConv1D",
        "SeparableConvolution2D": "SeparableConv2D",
    }
)
"""Further public names of classes, as configs may have them, to the name of the class itself."""


INPUT_LAYER = "InputLayer"
NUMBERED_NAMES: Mapping[str, str] = MappingProxyType({"Functional": "model", INPUT_LAYER: "input"})
"""The names that Keras 1 and 2 gave and numbered, of classes of which these are not the snake case."""


def class_of_model(is_chain: bool) -> str:
    """The class of a plain model: a chain of layers, or a graph."""
    return "Sequential" if is_chain else "Functional"


@lru_cache(maxsize=256)  # a model has many layers of few classes
def snake_case(name: str) -> str:
    """The name of a class as Keras writes it in paths (`to_snake_case`, keras/src/utils/naming.py, 3.15)."""
    name = re.sub(r"\W+", "", name.rpartition(">")[2])
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
