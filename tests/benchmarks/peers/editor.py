"""Lists a checkpoint with the inspector that comes with Keras."""

import sys

import keras

keras.saving.KerasFileEditor(sys.argv[1]).summary()
