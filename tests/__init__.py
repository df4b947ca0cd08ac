"""Tests of ckpttool; the tree mirrors the package."""
