"""Situations that people reported, each with the right answer."""
