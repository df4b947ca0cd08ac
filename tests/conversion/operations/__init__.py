"""Tests of what replaces TensorFlow functions."""
