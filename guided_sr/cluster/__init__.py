"""Work on many machines by Dask: where it runs, and how its tasks come back.

The room knows nothing of images: it is given a function and its tasks.
"""
