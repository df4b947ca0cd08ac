"""Loads a whole model with Keras and saves it as `.keras`: `converter.py SOURCE TARGET`."""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras

keras.models.load_model(sys.argv[1], compile=False).save(sys.argv[2])
