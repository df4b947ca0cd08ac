"""Tests of TensorFlow's own formats."""
