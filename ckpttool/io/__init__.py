"""Bytes, texts and numbers from strangers, and files written as a whole: what every other room stands on."""
