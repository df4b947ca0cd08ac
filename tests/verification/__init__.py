"""Tests of what loads into what."""
