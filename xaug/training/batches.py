"""Batches of a sample, in an order that follows from the seed and from the number of rows alone.

One pass over a sample is a random order of all its rows. A sample of more than GROUP blocks is shuffled in two steps,
so that it can be read from disk: the blocks are dealt to groups at random, and the rows of a group come in the random
order. Neighbouring blocks, which tend to be of the same class, are dealt to different groups.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from xaug.core.types import Array
from xaug.training.sample import BLOCK, ScaledSample

if TYPE_CHECKING:
    import tensorflow as tf

__all__ = ["GROUP", "by_groups", "endless_batches", "errors_of", "ordered_batches"]

GROUP = 64
"""Blocks whose rows are shuffled together."""


def endless_batches(sample: ScaledSample, batch_size: int, seed: int | None = None) -> tf.data.Dataset:
    """Batches of a sample without end: pass after pass over all its rows, each pass in another order.

    Parameters
    ----------
    sample : ScaledSample
        n rows
    batch_size : int
        rows of a batch; the last batch of a pass has the rows that are left
    seed : int, optional
        seed of the orders; the order of a pass depends on it and on the number of the pass alone. Default: they follow
        from TensorFlow's global seed, and are those in which `keras.Model.fit` takes arrays

    Returns
    -------
    tf.data.Dataset
        of (inputs by name, label, weight), ceil(n / batch_size) batches a pass
    """
    import tensorflow as tf

    n = len(sample)

    def stateless(number: tf.Tensor) -> tf.Tensor:
        return tf.random.experimental.stateless_shuffle(tf.range(n), tf.stack([tf.cast(seed, tf.int64), number]))

    def stateful(number: tf.Tensor) -> tf.Tensor:
        return tf.random.shuffle(tf.range(n, dtype=tf.int64))

    if seed is None:
        orders = tf.data.Dataset.range(1).repeat().map(stateful)
    else:
        orders = tf.data.Dataset.range(tf.int64.max).map(stateless)
    if n > GROUP * BLOCK:
        orders = orders.map(lambda order: tf.numpy_function(by_groups, [order], order.dtype, stateful=False))
    return _batches(sample, orders, batch_size)


def ordered_batches(sample: ScaledSample, batch_size: int) -> tf.data.Dataset:
    """Batches of a sample in its own order, once.

    Parameters
    ----------
    sample : ScaledSample
        n rows
    batch_size : int
        rows of a batch; the last one has the rows that are left

    Returns
    -------
    tf.data.Dataset
        of (inputs by name, label, weight)
    """
    import tensorflow as tf

    return _batches(sample, tf.data.Dataset.from_tensors(tf.range(len(sample), dtype=tf.int64)), batch_size)


def _batches(sample: ScaledSample, orders: tf.data.Dataset, batch_size: int) -> tf.data.Dataset:
    """Batches of rows in each of some orders."""
    import tensorflow as tf

    names = list(sample.shapes)

    def read(rows: Array) -> list[Array]:
        taken = sample.take(rows)
        return [*(taken[name] for name in names), sample.label[rows], sample.weight[rows]]

    types = [*[tf.float32] * len(names), tf.as_dtype(sample.label.dtype), tf.as_dtype(sample.weight.dtype)]

    def take(rows: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor, tf.Tensor]:
        *x, label, weight = tf.numpy_function(read, [rows], types, stateful=False)
        for values, shape in zip([*x, label, weight], [*sample.shapes.values(), (), ()], strict=True):
            values.set_shape((None, *shape))
        return dict(zip(names, x, strict=True)), label, weight

    def of_pass(order: tf.Tensor) -> tf.data.Dataset:
        order.set_shape((len(sample),))
        return tf.data.Dataset.from_tensor_slices(order).batch(batch_size)

    return orders.flat_map(of_pass).map(take).prefetch(tf.data.AUTOTUNE)


def by_groups(order: Array) -> Array:
    """An order of rows in which each group of blocks comes as a whole, its rows in the order given.

    The b-th block has the rows from b BLOCK on. As many neighbouring blocks as there are groups are dealt to one group
    each, in the order in which their first rows come.

    Parameters
    ----------
    order : array (n,)
        the rows 0 to n - 1 in any order

    Returns
    -------
    array (n,)
        the same rows; the same order if GROUP blocks hold them all
    """
    n = len(order)
    blocks = -(-n // BLOCK)
    groups = -(-blocks // GROUP)
    place = np.empty(n, np.int64)
    place[order] = np.arange(n)
    neighbours = np.arange(blocks) // groups
    dealt = np.lexsort((place[::BLOCK], neighbours))
    group = np.empty(blocks, np.int64)
    group[dealt] = np.arange(blocks) - groups * neighbours[dealt]
    return order[np.argsort(group[order // BLOCK], kind="stable")]


@contextmanager
def errors_of(*samples: ScaledSample) -> Iterator[None]:
    """Raise what a sample raised while TensorFlow read it, in place of the error that TensorFlow makes of it."""
    import tensorflow as tf

    try:
        yield
    except tf.errors.OpError:
        for sample in samples:
            if sample.error is not None:
                raise sample.error from None
        raise
