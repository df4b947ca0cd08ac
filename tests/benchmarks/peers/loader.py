"""Builds a model from its architecture and loads weights into it: the way to know whether they fit that Keras has."""

import sys
from pathlib import Path

import keras

weights, architecture = sys.argv[1:]
model = keras.models.model_from_json(Path(architecture).read_text())
model.load_weights(weights)
print("\n".join(variable.path for variable in model.weights))
