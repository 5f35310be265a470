"""Endless batches of a training sample, for trainings whose length is counted in steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xaug.training.scaled import ScaledSplit

if TYPE_CHECKING:
    import tensorflow as tf

__all__ = ["endless_batches"]


def endless_batches(sample: ScaledSplit, batch_size: int, seed: int) -> tf.data.Dataset:
    """Batches of a sample without end: pass after pass over all its rows, each pass in another order.

    Parameters
    ----------
    sample : ScaledSplit
        n rows
    batch_size : int
        rows of a batch; the last batch of a pass has the rows that are left
    seed : int
        seed of the orders; the order of a pass depends on it and on the number of the pass alone

    Returns
    -------
    tf.data.Dataset
        of (inputs by name, label, weight), ceil(n / batch_size) batches a pass
    """
    import tensorflow as tf

    columns = tf.nest.map_structure(tf.constant, (dict(sample.inputs), sample.label, sample.weight))
    n = len(sample.label)

    def pass_over(number: tf.Tensor) -> tf.data.Dataset:
        order = tf.random.experimental.stateless_shuffle(tf.range(n), tf.stack([tf.cast(seed, tf.int64), number]))
        return tf.data.Dataset.from_tensor_slices(order).batch(batch_size)

    def take(rows: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor, tf.Tensor]:
        x, label, weight = tf.nest.map_structure(lambda values: tf.gather(values, rows), columns)
        return x, label, weight

    passes = tf.data.Dataset.range(tf.int64.max)
    return passes.flat_map(pass_over).map(take).prefetch(tf.data.AUTOTUNE)
