"""The work of layers beside what TensorFlow's profiler counts of live models of `keras.applications`."""

import math

import keras
import pytest

from ckpttool.model.work_inference import WorkStep
from tests.model.live_work import PRODUCTS, Profile, profile, steps_of_model

MODELS = ("MobileNet", "MobileNetV3Small", "EfficientNetB0", "ResNet50", "InceptionV3", "ConvNeXtTiny")
SAME_COUNT = {"MaxPooling2D": "MaxPool", "AveragePooling2D": "AvgPool", "GlobalAveragePooling2D": "Mean"}
SAME_COUNT |= {"Add": "AddV2", "Multiply": "Mul"}
"""The classes of which the profiler counts what we do, by the operation that does it."""


def compiled_by_xla(step: WorkStep) -> bool:
    """Whether Keras lets XLA compile a convolution in groups, which the profiler does not look into."""
    return step.args.class_name == "Conv2D" and step.args.integer("groups", 1) != 1


@pytest.fixture(scope="module", params=MODELS)
def counted(request: pytest.FixtureRequest) -> tuple[list[WorkStep], Profile]:
    """A model's work by us and by the profiler."""
    keras.backend.clear_session()
    model = getattr(keras.applications, request.param)(weights=None)
    steps = steps_of_model(model)
    return steps, profile(model, {step.path for step in steps})


def test_products_are_those_of_the_profiler(counted: tuple[list[WorkStep], Profile]) -> None:
    """Two operations for each multiply-add, in every layer and in sum, are what the profiler counts of products."""
    steps, theirs = counted
    for step in steps:
        assert step.work is not None, step.path
        work = sum(theirs.by_layer.get(step.path, {}).get(name, 0) for name in PRODUCTS)
        assert work == (0 if compiled_by_xla(step) else 2 * step.work.macs), step.path
    assert sum(2 * step.work.macs for step in steps if step.work and not compiled_by_xla(step)) == theirs.products


def test_other_operations_are_those_of_the_profiler(counted: tuple[list[WorkStep], Profile]) -> None:
    """Biases, pooling and merging are counted as the profiler does it; a normalization but for what it works out once
    for each channel, an activation not at all: the profiler counts few of them."""
    steps, theirs = counted
    for step in steps:
        kinds, name = theirs.by_layer.get(step.path, {}), step.args.class_name
        assert step.work is not None
        if step.args.operation:  # in a scope of the operation's kind, not of its name
            continue
        if name in SAME_COUNT:
            assert kinds.get(SAME_COUNT[name], 0) == step.work.other, step.path
        if name == "BatchNormalization":
            channels = (step.outputs[0] or (0,))[-1] or 0
            assert sum(kinds.values()) - step.work.other in (5 * channels, 6 * channels), step.path
        is_linear = step.args.config.get("activation") in (None, "linear")
        if name in ("Conv2D", "Dense") and is_linear and not compiled_by_xla(step):
            assert sum(kinds.values()) == step.work.flops, step.path


def test_operations_are_those_of_the_profiler() -> None:
    """Products and convolutions of `keras.ops` are twice our multiply-adds, each by itself."""
    import numpy as np

    def array(*shape: int) -> np.ndarray:
        return np.ones(shape, "float32")

    image = (8, 8, 3)
    new_model = {
        "conv": (image, lambda x: keras.ops.conv(x, array(3, 3, 3, 4), strides=2, padding="same")),
        "depthwise": (image, lambda x: keras.ops.depthwise_conv(x, array(3, 3, 3, 1), padding="valid")),
        "separable": (image, lambda x: keras.ops.separable_conv(x, array(3, 3, 3, 1), array(1, 1, 3, 5))),
        "matmul": ((5, 4), lambda x: keras.ops.matmul(x, keras.ops.transpose(x, (0, 2, 1)))),
        "tensordot": ((5, 4), lambda x: keras.ops.tensordot(x, array(4, 6), axes=1)),
        "einsum": ((5, 4), lambda x: keras.ops.einsum("abc,cd->abd", x, array(4, 6))),
        "dot": ((4,), lambda x: keras.ops.dot(x, array(4, 6))),
    }
    for name, (shape, call) in new_model.items():
        keras.backend.clear_session()
        inputs = keras.Input(shape)
        model = keras.Model(inputs, call(inputs))
        steps = steps_of_model(model)
        works = [step.work for step in steps]
        assert None not in works, name
        theirs = profile(model, {step.path for step in steps})
        assert theirs.products == sum(2 * work.macs for work in works if work), name


def test_attention_that_keras_has_built() -> None:
    """Every layer of attention is counted from the config that Keras writes once it is built, which names the axes;
    Attention as the profiler counts it."""
    layers, sequence, image = keras.layers, (4, 8), (3, 4, 8)
    heads = {
        "all axes of a sequence": (sequence, {}, 2 * 4 * 4),
        "all axes of an image": (image, {}, 2 * 12 * 12),
        "both axes by name": (image, {"attention_axes": (1, 2)}, 2 * 12 * 12),
        "one axis": (image, {"attention_axes": 2}, 2 * 3 * 4 * 4),
        "one axis from the end": (image, {"attention_axes": -3}, 2 * 4 * 3 * 3),
    }
    for name, (shape, config, scores) in heads.items():
        keras.backend.clear_session()
        inputs = keras.Input(shape)
        layer = layers.MultiHeadAttention(2, 5, **config)
        work = steps_of_model(keras.Model(inputs, layer(inputs, inputs)))[-1].work
        assert layer.get_config()["attention_axes"] is not None
        assert work is not None, name
        rows = math.prod(shape[:-1])
        assert work.macs == 4 * rows * 8 * 10 + scores * 10, name
        assert work.other == 3 * rows * 10 + rows * 8 + scores * 6, name
    # Of rows that are added it counts no tanh, and an addition less than there are values in a sum.
    less = {layers.Attention(): 0, layers.Attention(score_mode="concat"): 16 * 9, layers.AdditiveAttention(): 16 * 9}
    for layer, uncounted in less.items():
        keras.backend.clear_session()
        inputs = keras.Input(sequence)
        model = keras.Model(inputs, layer([inputs, inputs]))
        steps = steps_of_model(model)
        work = steps[-1].work
        assert work is not None
        assert profile(model, {step.path for step in steps}).total == work.flops - uncounted
