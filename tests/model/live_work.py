"""The work of the models of `keras.applications`, beside what TensorFlow's profiler counts.

    python -m tests.model.live_work [NAME ...]

prints a row for each model, as docs/cost.md has them. All of them take half an hour and 8 GB.
"""

import json
import re
import sys
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import keras

from ckpttool.inspection.cost import Cost, cost_of
from ckpttool.model import Architecture
from ckpttool.model.architecture_parts import model_args
from ckpttool.model.config import read_architecture
from ckpttool.model.work_inference import WorkStep, work_steps

PRODUCTS = ("Conv2D", "DepthwiseConv2dNative", "MatMul", "BatchMatMulV2")
"""The operations of TensorFlow that are multiply-adds; the profiler counts two for each."""
_SIZE = 224  # of images, where a model takes any


@dataclass(frozen=True)
class Profile:
    """The counts of the profiler for a model: in total, and by layer and kind of operation."""

    total: int
    by_layer: Mapping[str, Counter[str]]

    @property
    def products(self) -> int:
        """The operations of all products and convolutions."""
        return sum(kinds[name] for kinds in self.by_layer.values() for name in PRODUCTS)


def input_shape(model: Any) -> tuple[int, ...]:
    """The shape of one example."""
    return (1, *(size or _SIZE for size in model.inputs[0].shape[1:]))


def architecture_of(model: Any) -> Architecture:
    """The architecture in the config of a live model."""
    architecture = read_architecture(json.loads(model.to_json()))
    assert architecture is not None
    return architecture


def steps_of_model(model: Any) -> list[WorkStep]:
    """The calls of the layers of a live model, counted from its config, for one example."""
    return list(work_steps(model_args(architecture_of(model)), (input_shape(model),)))


def profile(model: Any, layers: Collection[str]) -> Profile:
    """The counts of `tf.profiler` for one example of a model in inference; `layers` are the paths of its layers."""
    import tensorflow as tf
    from tensorflow.python.framework import ops

    spec = tf.TensorSpec(input_shape(model), "float32")
    graph = tf.function(lambda x: model(x, training=False)).get_concrete_function(spec).graph
    by_layer: dict[str, Counter[str]] = {}
    with graph.as_default():
        for op in graph.get_operations():
            count = ops.get_stats_for_node_def(graph, op.node_def, "flops").value
            if count:
                by_layer.setdefault(_layer_of(op.name, layers), Counter())[op.type] += int(count)
    counting = tf.compat.v1.profiler.ProfileOptionBuilder(tf.compat.v1.profiler.ProfileOptionBuilder.float_operation())
    options = counting.with_empty_output().build()
    profile = tf.compat.v1.profiler.profile(graph, run_meta=tf.compat.v1.RunMetadata(), cmd="op", options=options)
    return Profile(profile.total_float_ops, by_layer)


def _layer_of(name: str, layers: Collection[str]) -> str:
    """The layer that an operation is of: the scopes in its name are numbered, as Keras opens each of them twice."""
    scopes = [re.sub(r"_\d+$", "", scope) for scope in name.split("/")[1:]]
    paths = ("/".join(scopes[:end]) for end in range(len(scopes), 0, -1))
    return next((path for path in paths if path in layers), "")


def row(model: Any, name: str) -> str:
    """A row of the table: both counts, and by how much they differ."""
    steps = steps_of_model(model)
    cost: Cost = cost_of(architecture_of(model), [input_shape(model)])
    theirs = profile(model, {step.path for step in steps})
    products = f"{theirs.products - 2 * cost.macs:,}"
    percent = 100 * (cost.flops / theirs.total - 1)
    return f"| {name} | {cost.macs:,} | {products} | {cost.flops:,} | {theirs.total:,} | {percent:+.2f} % |"


def main(names: list[str]) -> None:
    """Print the table."""
    for name in names or [name for name in dir(keras.applications) if name[0].isupper()]:
        sys.stdout.write(f"{row(getattr(keras.applications, name)(weights=None), name)}\n")
        sys.stdout.flush()
        keras.backend.clear_session()


if __name__ == "__main__":
    main(sys.argv[1:])
