"""Reusable, serialisable Keras layers; `keras.ops` only."""
