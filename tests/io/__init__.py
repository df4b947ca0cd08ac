"""Tests of the lowest rooms."""
