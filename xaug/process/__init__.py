"""Stage `process`: ROOT files to a dataset of images, particle lists and expert variables.

Nothing here imports TensorFlow, so workers start fast.
"""
