"""The keys that `get_config` of the classes of Keras 2 gives: `python old_config_keys.py > VERSION.json`, by old Keras.

Then `python -m tests.model.old_config_keys *.json` writes ckpttool/model/generations/config_keys.json of all of them:
by kind and class the sets of keys that a version always states ("always": the least of them), and all others that some
version states ("sometimes").
"""

import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
OF_ALL_LAYERS = ("name", "dtype", "batch_input_shape", "dynamic")
OF_THE_OTHER_FORM = ("fn",)  # of losses outside of a `.h5`
READ = {
    **dict.fromkeys(("GRU", "LSTM", "SimpleRNN"), ("num_constants", "zero_output_for_mask")),
    **dict.fromkeys(("ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"), ("num_constants", "zero_output_for_mask")),
    **dict.fromkeys(("CuDNNGRU", "CuDNNLSTM"), ("num_constants", "time_major")),
    **dict.fromkeys(("SeparableConv1D", "SeparableConv2D"), ("depth_multiplier", "dilation_rate")),
    "BatchNormalization": ("renorm", "renorm_clipping", "renorm_momentum", "virtual_batch_size"),
    "Bidirectional": ("backward_layer", "num_constants"),
    "CategoryCrossing": ("separator",),
    "Discretization": ("bin_boundaries", "bins", "epsilon", "num_bins"),
    "Lambda": (
        *("arguments", "function_type", "mask", "mask_module", "mask_type", "output_shape", "output_shape_type"),
        "trainable",  # whose code is not to be overlooked because a key is missing
    ),
}
"""Keys of layers that not all configs have, as the sources of Keras 2.0 to 2.15 and TensorFlow 1.4 to 2.5 say: those
that follow from calls, and those that versions lack which cannot make the layer here."""

TWINS = {"CuDNNGRU": "GRU", "CuDNNLSTM": "LSTM", "GRU": "CuDNNGRU", "LSTM": "CuDNNLSTM"}
"""Layers whose class people change in a config, to load it where there is no CuDNN, or back."""

ABSTRACT = ("Layer", "Wrapper", "InputLayer", "RNN", "InputSpec", "Regularizer", "Constraint", "Initializer", "Loss")
ABSTRACT += ("Optimizer", "OptimizerV1", "OptimizerV2", "TFOptimizer", "LearningRateSchedule", "Metric")


def attempts(keras):
    """Keyword arguments with which objects can be made, from the fewest on."""
    layers = keras.layers
    cell = layers.SimpleRNNCell(2) if hasattr(layers, "SimpleRNNCell") else None
    yield {}
    for name, value in (
        ("rate", 0.1), ("units", 2), ("size", 2), ("function", abs), ("axes", 1), ("n", 2), ("output_dim", 2),
        ("dims", (1,)), ("target_shape", (1,)), ("stddev", 0.1), ("l2", 0.1), ("activation", "relu"),
        ("vocabulary", ["a"]), ("num_bins", 2), ("bin_boundaries", [0.5]), ("bins", [0.5]), ("num_tokens", 2),
        ("scale", 2.0), ("factor", 0.1), ("cells", [cell]), ("cell", cell), ("mode", "concat"),
        ("layer", layers.LSTM(2)), ("layer", layers.Dense(2)), ("mask_value", 0.0), ("kernel_size", 2), ("l1", 0.1),
        ("clipnorm", 1.0), ("clipvalue", 1.0), ("global_clipnorm", 1.0), ("weight_decay", 0.1), ("decay", 0.1),
        ("momentum", 0.1), ("num_classes", 2), ("from_logits", True), ("recall", 0.5), ("precision", 0.5),
        ("sensitivity", 0.5), ("specificity", 0.5), ("data_format", "channels_first"), ("seed", 1),
        ("noise_shape", (1, 1)), ("num_thresholds", 3), ("thresholds", [0.5]), ("multi_label", True),
        ("reset_after", True),
    ):  # fmt: skip
        yield {name: value}
    yield {"filters": 2, "kernel_size": 2}
    yield {"input_dim": 2, "output_dim": 2}
    yield {"height": 2, "width": 2}
    yield {"height_factor": 0.1, "width_factor": 0.1}
    yield {"num_heads": 2, "key_dim": 2}
    yield {"equation": "ab,bc->ac", "output_shape": 2}
    yield {"mean": [0.0], "variance": [1.0]}
    yield {"num_classes": 2, "target_class_ids": [0]}
    yield {"initial_learning_rate": 0.1, "decay_steps": 2}
    yield {"initial_learning_rate": 0.1, "decay_steps": 2, "decay_rate": 0.1}
    yield {"initial_learning_rate": 0.1, "first_decay_steps": 2}
    yield {"boundaries": [1], "values": [0.1, 0.2]}


def keys_of(kind, keras):
    """The keys of the configs of a class, as each of the attempts gives them."""
    configs = [keys_with(kind, arguments) for arguments in attempts(keras)]
    return [keys for keys in configs if keys is not None]


def keys_with(kind, arguments):
    """The keys of the config of an object that is made with these arguments, None where it takes others."""
    try:
        return set(kind(**arguments).get_config())
    except Exception:
        return None


def modules(keras):
    """The modules of Keras with classes of a kind."""
    layers = keras.layers
    experimental = getattr(layers, "experimental", None)
    optimizers = keras.optimizers
    yield from (("layers", module) for module in (layers, getattr(experimental, "preprocessing", None)))
    for kind in ("initializers", "regularizers", "constraints", "losses", "metrics", "optimizers"):
        yield kind, getattr(keras, kind)
    yield from (("optimizers", getattr(optimizers, name, None)) for name in ("legacy", "experimental"))
    yield "schedules", getattr(optimizers, "schedules", None)


def keys_by_class(keras, legacy=None):
    """The keys by kind and name of a class, of the public modules and of the layers that Keras has for old files. A
    name may be that of several classes, such as optimizers and their legacy ones."""
    by_kind = {}
    places = list(modules(keras))
    kinds = [(kind, name, getattr(place, name)) for kind, place in places for name in dir(place)]
    old = [name for name in ("Merge", "Highway", "MaxoutDense") if hasattr(legacy, name)]
    kinds += [("layers", name, getattr(legacy, name)) for name in old]
    for kind, name, cls in kinds:
        if not isinstance(cls, type) or name in ABSTRACT or not hasattr(cls, "get_config"):
            continue
        left_out = OF_ALL_LAYERS if kind == "layers" else OF_THE_OTHER_FORM
        configs = [keys.difference(left_out) for keys in keys_of(cls, keras)]
        if not configs:
            sys.stderr.write(name + " cannot be made\n")
            continue
        rows = by_kind.setdefault(kind, {}).setdefault(cls.__name__, [])
        if row(configs) not in rows:
            rows.append(row(configs))
    return by_kind


def row(configs):
    """The keys that all configs of a class have, and those that only some have."""
    always = set.intersection(*configs)
    return {"always": sorted(always), "sometimes": sorted(set.union(*configs) - always)}


def main():
    """Write the keys of the Keras of this process, or join those of several."""
    if len(sys.argv) > 1:
        merge(sys.argv[1:])
        return
    try:
        import keras
        from keras.legacy import layers as legacy
    except ImportError:
        from tensorflow import keras

        legacy = None
    sys.stdout.write(json.dumps(keys_by_class(keras, legacy), indent=1, sort_keys=True))


def merge(paths):
    """Write the table of several versions."""
    from pathlib import Path

    versions = [json.loads(Path(path).read_text("utf-8")) for path in paths]
    kinds = sorted({kind for version in versions for kind in version})
    table = ",\n".join(f" {json.dumps(kind)}: {{\n{joined(kind, versions)}\n }}" for kind in kinds)
    target = Path(__file__).parents[2] / "ckpttool/model/generations/config_keys.json"
    target.write_text("{\n" + table + "\n}\n", "utf-8")


def joined(kind, versions):
    """A line for each class of a kind: the sets of keys that it always has in some version, and the other keys."""
    classes = [version.get(kind, {}) for version in versions]
    lines = []
    for name in sorted({name for version in classes for name in version}):
        names = (name, TWINS.get(name, name)) if kind == "layers" else (name,)
        rows = [row for version in classes for each in names for row in version.get(each, [])]
        read = {key for each in names for key in READ.get(each, ())} if kind == "layers" else set()
        always = {frozenset(configs["always"]).difference(read) for configs in rows}
        least = sorted(sorted(keys) for keys in always if not any(other < keys for other in always))
        every = read.union(*(configs["always"] + configs["sometimes"] for configs in rows))
        keys = {"always": least, "sometimes": sorted(every.difference(*least))}
        lines.append(f"  {json.dumps(name)}: {json.dumps(keys)}")
    return ",\n".join(lines)


if __name__ == "__main__":
    main()
