"""Conversions to a live model that the user's own code builds."""
