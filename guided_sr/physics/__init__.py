"""Grids, operators and back-projection. NumPy only."""
