"""The compile settings of a converted model, and the state of its optimizer."""
