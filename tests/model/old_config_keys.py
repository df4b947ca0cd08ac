"""The keys that `get_config` of the layers of Keras 2 gives: `python old_config_keys.py > VERSION.json`, by genuine old
Keras.

Then `python -m tests.model.old_config_keys *.json` writes ckpttool/model/generations/config_keys.json of all of them:
for each class the keys that every version states ("always"), and those that only some do ("sometimes").
"""

import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
OF_ALL_LAYERS = ("name", "trainable", "dtype", "batch_input_shape", "dynamic")
ABSTRACT = ("Layer", "Wrapper", "InputLayer", "RNN", "InputSpec")


def attempts(layers):
    """Keyword arguments with which layers can be made, from the fewest on."""
    cell = layers.SimpleRNNCell(2) if hasattr(layers, "SimpleRNNCell") else None
    yield {}
    for name, value in (
        ("rate", 0.1), ("units", 2), ("size", 2), ("function", abs), ("axes", 1), ("n", 2), ("output_dim", 2),
        ("dims", (1,)), ("target_shape", (1,)), ("stddev", 0.1), ("l2", 0.1), ("activation", "relu"),
        ("vocabulary", ["a"]), ("num_bins", 2), ("bin_boundaries", [0.5]), ("bins", [0.5]), ("num_tokens", 2),
        ("scale", 2.0), ("factor", 0.1), ("cells", [cell]), ("cell", cell), ("mode", "concat"),
        ("layer", layers.LSTM(2)), ("layer", layers.Dense(2)), ("mask_value", 0.0), ("kernel_size", 2),
    ):  # fmt: skip
        yield {name: value}
    yield {"filters": 2, "kernel_size": 2}
    yield {"input_dim": 2, "output_dim": 2}
    yield {"height": 2, "width": 2}
    yield {"height_factor": 0.1, "width_factor": 0.1}
    yield {"num_heads": 2, "key_dim": 2}
    yield {"equation": "ab,bc->ac", "output_shape": 2}
    yield {"mean": [0.0], "variance": [1.0]}


def keys_of(kind, layers):
    """The keys of the config of a layer of this class, None where none can be made."""
    for arguments in attempts(layers):
        keys = keys_with(kind, arguments)
        if keys is not None:
            return keys
    return None


def keys_with(kind, arguments):
    """The keys of the config of a layer that is made with these arguments, None where it takes others."""
    try:
        return sorted(set(kind(**arguments).get_config()).difference(OF_ALL_LAYERS))
    except Exception:
        return None


def keys_by_class(layers, legacy=None):
    """The keys by class, of `keras.layers` and of the layers that Keras has for old files."""
    by_class = {}
    kinds = {name: getattr(layers, name) for name in dir(layers)}
    if hasattr(layers, "experimental"):
        preprocessing = layers.experimental.preprocessing
        kinds.update({name: getattr(preprocessing, name) for name in dir(preprocessing)})
    kinds.update({name: getattr(legacy, name) for name in ("Merge", "Highway", "MaxoutDense") if hasattr(legacy, name)})
    for name, kind in kinds.items():
        if isinstance(kind, type) and kind.__name__ == name and hasattr(kind, "get_config") and name not in ABSTRACT:
            keys = keys_of(kind, layers)
            if keys is None:
                sys.stderr.write(name + " cannot be made\n")
            else:
                by_class[name] = keys
    return by_class


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
    sys.stdout.write(json.dumps(keys_by_class(keras.layers, legacy), indent=1, sort_keys=True))


def merge(paths):
    """Write the table of several versions."""
    from pathlib import Path

    versions = [json.loads(Path(path).read_text("utf-8")) for path in paths]
    table = {}
    for name in sorted({name for version in versions for name in version}):
        keys = [set(version[name]) for version in versions if name in version]
        always = set.intersection(*keys)
        table[name] = {"always": sorted(always), "sometimes": sorted(set.union(*keys) - always)}
    lines = ",\n".join(f" {json.dumps(name)}: {json.dumps(row)}" for name, row in table.items())
    target = Path(__file__).parents[2] / "ckpttool/model/generations/config_keys.json"
    target.write_text("{\n" + lines + "\n}\n", "utf-8")


if __name__ == "__main__":
    main()
