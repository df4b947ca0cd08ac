"""Tests of configs and layers."""
