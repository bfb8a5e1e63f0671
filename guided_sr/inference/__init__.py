"""From a trained cascade to images and volumes."""
