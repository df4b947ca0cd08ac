"""Tests of the saving callback."""
