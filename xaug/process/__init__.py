"""Stage `process`: turn files of events into a dataset of images, particle lists, expert variables or features.

Nothing here imports TensorFlow, so that workers start fast.
"""

EXECUTORS = ("iterative", "futures", "dask")
"""Names of the executors."""
