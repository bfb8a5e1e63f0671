"""BIDS: data sets to read from, derivatives to write, and what a cohort comes to.

No framework and no processing: the room finds images, names results, and keeps the
records; whoever runs a cohort brings the function that super-resolves a pair.
"""
