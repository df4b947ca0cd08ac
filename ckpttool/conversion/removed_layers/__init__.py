"""Replacements for layers that Keras 3 no longer has, made of layers that it has."""
