"""Tests of what converts models."""
