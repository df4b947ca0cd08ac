"""Layers that look values up in a vocabulary, in models that a genuine TensorFlow 2.3 to 2.15 writes and asks.

    PYTHON tests/formats/tensorflow/old_lookups.py FOLDER [MODE...]

PYTHON is that of an environment with such a TensorFlow and nothing of this project. There is a model for each class,
output mode and place of the vocabulary: a list, a file, or data that the layer is adapted to. Each of its outputs is a
layer with another mask and another number of unknown words. It is saved in all forms: `saved` (SavedModel),
`model.h5`, `model.keras`. Beside them are `record.json`, what could not be built or saved, and `values.npz`: inputs and
predictions. `artefact_score` reads all of it.
"""

import itertools
import json
import os
import sys
import traceback

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

keras = tf.keras
VERSION = tuple(int(part) for part in tf.__version__.split(".")[:2])

VOCABULARY = ["cat", "dog", "bird", "flying fish"]
NUMBERS = [12, 36, 7, 1138]
TEXTS = np.array([["cat", "dog", "cat"], ["bird", "dog", "flying fish"], ["dog", "dog", "dog"]], object)
UNKNOWN_TEXTS = np.array([["cat", "", "newt"], ["bird", "fox", "cat"], ["", "", "ox"]], object)
WHOLES = np.array([[12, 36, 12], [7, 36, 1138], [36, 36, 36]], "int64")
UNKNOWN_WHOLES = np.array([[12, 0, 5], [7, 99, 12], [0, 0, 41]], "int64")
SENTENCES = np.array([["the cat and the dog"], ["a bird, a dog, a newt"], ["dog! dog? DOG"]], object)
WEIGHTS = [0.25, 0.75, 0.6, 0.4]
SOURCES = ("list", "set", "file", "adapted")
MODES = {
    "StringLookup": ("int", "one_hot", "multi_hot", "count", "tf_idf"),
    "IntegerLookup": ("int", "one_hot", "multi_hot", "count", "tf_idf"),
    "TextVectorization": ("int", "multi_hot", "count", "tf_idf"),
}
LEFT_OUT = {("tf_idf", "file"), ("one_hot", "set"), ("multi_hot", "set"), ("count", "set")}
OLD_MODES = {"multi_hot": "binary", "tf_idf": "tf-idf"}  # up to TensorFlow 2.5


def layer_class(name):
    """A layer that was experimental up to TensorFlow 2.5."""
    return getattr(keras.layers, name, None) or getattr(keras.layers.experimental.preprocessing, name)


def lookup_arguments(class_name, mode, folder):
    """The arguments of each layer of a model, with the name of the layer's input."""
    token = "" if class_name == "StringLookup" else 0
    for mask, unknown in itertools.product((None, token), (0, 1, 2)):
        kinds = {"mask_token": mask, "num_oov_indices": unknown}
        if VERSION < (2, 5) and class_name == "IntegerLookup":
            kinds = {"mask_value": mask, "num_oov_indices": unknown}
        yield "known" if unknown == 0 else "any", kinds
    if mode == "int":
        yield "numbers", {"invert": True, "num_oov_indices": 1}
        yield "any", {"max_tokens": 10}
    else:
        yield "any", {"max_tokens": 10, "pad_to_max_tokens": True}
        yield "any", {"max_tokens": 4, "num_oov_indices": 1}


def text_arguments(mode, folder):
    """The arguments of each TextVectorization of a model, with the name of its input."""
    yield "texts", {}
    yield "texts", {"max_tokens": 10}
    if mode == "int":
        yield "texts", {"output_sequence_length": 4}
        yield "texts", {"ngrams": 2}
    else:
        yield "texts", {"max_tokens": 10, "pad_to_max_tokens": True}
        yield "texts", {"split": None, "standardize": "lower"} if VERSION >= (2, 10) else {"ngrams": 2}


def layer(class_name, mode, source, arguments, folder):
    """The layer with its vocabulary."""
    entries = NUMBERS if class_name == "IntegerLookup" else VOCABULARY
    written_mode = OLD_MODES.get(mode, mode) if VERSION < (2, 6) else mode
    has_modes = class_name == "TextVectorization" or VERSION >= (2, 5)
    built_with = {**arguments, **({"output_mode": written_mode} if has_modes else {})}
    if (
        class_name == "TextVectorization"
        and mode != "int"
        and "pad_to_max_tokens" not in arguments
        and VERSION < (2, 6)
    ):
        built_with["pad_to_max_tokens"] = False
    few = entries[: arguments["max_tokens"] - 1] if arguments.get("max_tokens") == 4 else entries
    weights = {"idf_weights": WEIGHTS[: len(few)]} if mode == "tf_idf" else {}
    if source == "adapted":
        built = layer_class(class_name)(**built_with)
        rows = np.array([entries[:3], entries[1:]], "int64" if class_name == "IntegerLookup" else object)
        built.adapt(SENTENCES if class_name == "TextVectorization" else rows)
        return built
    if source == "file":
        path = os.path.join(folder, "words.txt")
        with open(path, "w") as file:
            file.write("\n".join(map(str, entries)) + "\n")
        return layer_class(class_name)(vocabulary=path, **built_with)
    if source == "set":
        built = layer_class(class_name)(**built_with)
        if VERSION < (2, 6) and weights:
            weights = {("tfidf_data" if VERSION >= (2, 4) else "df_data"): weights["idf_weights"]}
            if VERSION < (2, 4):
                weights["oov_df_value"] = 0.3
        built.set_vocabulary(few, **weights)
        return built
    return layer_class(class_name)(vocabulary=few, **weights, **built_with)


INPUTS = {
    "StringLookup": {
        "known": TEXTS,
        "any": UNKNOWN_TEXTS,
        "numbers": np.array([[1, 2, 9], [3, 0, 2], [4, 4, 1]], "int64"),
    },
    "IntegerLookup": {
        "known": WHOLES,
        "any": UNKNOWN_WHOLES,
        "numbers": np.array([[1, 2, 9], [3, 0, 2], [4, 4, 1]], "int64"),
    },
    "TextVectorization": {"texts": SENTENCES},
}


def write(root, class_name, mode, source):
    """Write the model, its predictions, and what cannot be done."""
    folder = os.path.join(root, "_".join((class_name, mode, source)))
    os.makedirs(folder, exist_ok=True)
    record = {
        "tensorflow": tf.__version__,
        "optimizer": "none",
        "tensors": {},
        "forms": {},
        "failures": {},
        "layers": {},
    }
    values = {name: x[:, :1] if mode == "one_hot" else x for name, x in INPUTS[class_name].items()}
    inputs = {
        name: keras.Input(x.shape[1:], name=name, dtype="string" if x.dtype == object else "int64")
        for name, x in values.items()
    }
    outputs = []
    choices = (
        text_arguments(mode, folder)
        if class_name == "TextVectorization"
        else lookup_arguments(class_name, mode, folder)
    )
    for choice, arguments in choices:
        try:
            built = layer(class_name, mode, source, arguments, folder)
            outputs.append(built(inputs[choice]))
            record["layers"][built.name] = arguments
        except Exception as error:
            record["failures"][str(arguments)] = "{}: {}".format(type(error).__name__, error)[:300]
    if outputs:
        model = keras.Model(list(inputs.values()), outputs)
        choice = [tf.constant(values[name]) for name in inputs]
        predictions = model(choice)
        predictions = predictions if isinstance(predictions, (list, tuple)) else [predictions]
        settings = {
            "x{}".format(n): values[name].astype(str) if values[name].dtype == object else values[name]
            for n, name in enumerate(inputs)
        }
        for n, prediction in enumerate(predictions):
            array = prediction.numpy()
            settings["y{}".format(n)] = array.astype(str) if array.dtype == object else array
        np.savez(os.path.join(folder, "values.npz"), **settings)
        forms = {"saved": os.path.join(folder, "saved"), "h5": os.path.join(folder, "model.h5")}
        if VERSION >= (2, 12):
            forms["keras"] = os.path.join(folder, "model.keras")
        for form, path in forms.items():
            try:
                model.save(path)
            except Exception as error:
                record["forms"][form] = "{}: {}".format(type(error).__name__, error)[:300]
    with open(os.path.join(folder, "record.json"), "w") as file:
        json.dump(record, file, indent=1)


def main():
    """Write all models."""
    root, wanted = sys.argv[1], sys.argv[2:]
    for class_name, modes in MODES.items():
        for mode, source in itertools.product(modes, SOURCES):
            if (wanted and mode not in wanted) or (mode, source) in LEFT_OUT:
                continue
            try:
                write(root, class_name, mode, source)
            except Exception:
                print(class_name, mode, source, traceback.format_exc()[-600:], flush=True)
            keras.backend.clear_session()


if __name__ == "__main__":
    main()
