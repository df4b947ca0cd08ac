"""Tests of what a config can do."""
