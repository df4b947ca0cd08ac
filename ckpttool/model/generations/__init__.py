"""Generations of Keras: detection, configs in the form of Keras 3, the order of weights in legacy files."""
