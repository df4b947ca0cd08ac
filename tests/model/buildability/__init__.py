"""Tests of the question whether Keras builds a config."""
