"""Layers that Keras 3 has no more, made of layers that it has."""
