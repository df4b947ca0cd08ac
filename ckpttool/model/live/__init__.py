"""Live Keras models: the one place, beside the callbacks, that imports Keras."""
