"""Recurrent networks on padded lists."""

import keras
import tensorflow as tf
from explain.zoo.registry import FEATURES, STEPS, TOKENS, dense, head, particles, vector, zoo
from keras import layers


@zoo("masked GRU inside a nested model")
def nested_recurrent():
    inner = particles("inner")
    encoder = keras.Model(inner, layers.GRU(4, use_bias=False)(dense(4)(layers.Masking()(inner))), name="encoder")
    inputs = particles()
    return head(inputs, encoder(inputs))


@zoo("bidirectional GRU and LSTM behind Masking")
def bidirectional():
    h = inputs = particles()
    h = layers.Bidirectional(layers.GRU(4, return_sequences=True, use_bias=False))(layers.Masking()(h))
    return head(inputs, layers.Bidirectional(layers.LSTM(3, use_bias=False), merge_mode="sum")(h))


@zoo("LSTM that reads backwards, and SimpleRNN")
def backwards():
    inputs = particles()
    h = layers.LSTM(4, return_sequences=True, go_backwards=True, use_bias=False)(layers.Masking()(inputs))
    return head(inputs, layers.SimpleRNN(3, use_bias=False)(h))


@zoo("tokens with mask_zero, and a GRU")
def tokens():
    inputs = keras.Input((STEPS,), name="kinds", dtype="int32")
    return head(inputs, layers.GRU(3, use_bias=False)(layers.Embedding(TOKENS, 4, mask_zero=True)(inputs)))


@zoo("two GRU layers and BatchNormalization, masked")
def stacked_gru():
    h = layers.Masking()(inputs := particles())
    h = layers.BatchNormalization()(layers.GRU(4, return_sequences=True, use_bias=False)(h))
    return head(inputs, layers.GRU(3, use_bias=False)(layers.GRU(3, return_sequences=True, use_bias=False)(h)))


@zoo("GRU with reset_after=False, go_backwards, other activations")
def gru_options():
    h = layers.Masking()(inputs := particles())
    options = {"reset_after": False, "go_backwards": True, "activation": "relu", "recurrent_activation": "hard_sigmoid"}
    return head(inputs, layers.GRU(4, use_bias=False, **options)(h))


@zoo("LSTM that is unrolled, with relu")
def unrolled():
    inputs = particles()
    return head(inputs, layers.LSTM(4, use_bias=False, unroll=True, activation="relu")(inputs))


@zoo("RNNIP: embedded track categories beside track variables, masked LSTM")
def rnnip():
    tracks, category = particles("tracks"), keras.Input((STEPS,), name="category", dtype="int32")
    h = layers.Concatenate()([tracks, layers.Embedding(TOKENS, 2)(category)])
    h = layers.LSTM(4, use_bias=False)(layers.Masking()(h))
    return head([tracks, category], dense(5, "relu")(h), 4)


@zoo("LSTM of all steps, TimeDistributed dense layers, mean over the real ones")
def sequence_labels():
    h = layers.Masking()(inputs := particles())
    h = layers.LSTM(4, return_sequences=True, use_bias=False)(h)
    return head(inputs, layers.GlobalAveragePooling1D()(layers.TimeDistributed(dense(3, "relu"))(h)))


@zoo("recurrent layers of cells: RNN(LSTMCell), RNN(GRUCell)")
def cells():
    h = layers.Masking()(inputs := particles())
    h = layers.RNN(layers.LSTMCell(4, use_bias=False), return_sequences=True)(h)
    return head(inputs, layers.RNN(layers.GRUCell(3, use_bias=False))(h))


@zoo("two cells in one layer (StackedRNNCells)")
def stacked_cells():
    inputs = particles()
    return head(inputs, layers.RNN([layers.LSTMCell(4, use_bias=False), layers.LSTMCell(3, use_bias=False)])(inputs))


@zoo("convolutions in front of a GRU")
def convolution_and_gru():
    inputs = particles()
    h = layers.Conv1D(4, 3, padding="same", activation="relu", use_bias=False)(inputs)
    return head(inputs, layers.GRU(3, use_bias=False)(layers.MaxPooling1D(2)(h)))


@zoo("state and cell state of an LSTM that are read (return_state)")
def last_state():
    inputs = particles()
    _, h, c = layers.LSTM(4, return_state=True, use_bias=False)(inputs)
    return head(inputs, layers.Concatenate()([h, c]))


@zoo("bidirectional layers: ave, mul and concat of both directions")
def directions():
    h = layers.Masking()(inputs := particles())
    h = layers.Bidirectional(layers.GRU(4, return_sequences=True, use_bias=False), merge_mode="ave")(h)
    h = layers.Bidirectional(layers.SimpleRNN(4, return_sequences=True, use_bias=False), merge_mode="mul")(h)
    return head(inputs, layers.Bidirectional(layers.LSTM(3, use_bias=False))(h))


@zoo("both directions as two outputs (merge_mode=None)")
def two_directions():
    inputs = particles()
    forward, backward = layers.Bidirectional(layers.GRU(4, use_bias=False), merge_mode=None)(inputs)
    return head(inputs, forward - backward)


@zoo("the mask of one list handed to a GRU on another (mask=)")
def mask_of_another():
    a, b = particles("a"), particles("b")
    mask = layers.Masking().compute_mask(a)
    return head([a, b], layers.GRU(3, use_bias=False)(dense(4)(b), mask=mask))


@zoo("encoder and decoder: RepeatVector and a second LSTM")
def repeat():
    inputs = particles()
    h = layers.RepeatVector(3)(layers.LSTM(4, use_bias=False)(layers.Masking()(inputs)))
    return head(inputs, layers.LSTM(3, return_sequences=True, use_bias=False)(h))


@zoo("steps that are padded give zero (zero_output_for_mask)")
def zero_output():
    h = layers.Masking()(inputs := particles())
    h = layers.GRU(4, return_sequences=True, use_bias=False, zero_output_for_mask=True)(h)
    return head(inputs, tf.reduce_sum(h, axis=1))


@zoo("a recurrent layer with an initial state that other variables give")
def initial_state():
    inputs, x = particles(), vector()
    h = layers.GRU(3, use_bias=False)(layers.Masking()(inputs), initial_state=dense(3)(x))
    return head([inputs, x], h)


@zoo("encoder and decoder: a second LSTM begins with the states of the first, one in both directions too")
def encoder_and_decoder():
    inputs, others = particles(), particles("others")
    _, *states = layers.LSTM(4, return_state=True, use_bias=False)(layers.Masking()(inputs))
    h = layers.LSTM(4, return_sequences=True, use_bias=False)(others, initial_state=states)
    both = layers.Bidirectional(layers.LSTM(3, return_state=True, use_bias=False))
    _, *states = both(h)
    h = layers.Bidirectional(layers.LSTM(3, use_bias=False))(others, initial_state=states)
    return head([inputs, others], h)


@zoo("cells with initial states, and with states that are read")
def states_of_cells():
    inputs, x = particles(), vector()
    cells = [layers.LSTMCell(4, use_bias=False), layers.GRUCell(3, use_bias=False)]
    begin = [[dense(4)(x), dense(4, "tanh")(x)], dense(3)(x)]
    y, (_, cell), state = layers.RNN(cells, return_state=True)(inputs, initial_state=begin)
    return head([inputs, x], layers.Concatenate()([y, cell, state]))


@zoo("refused: a stateful GRU", refused="stateful", remedy="copy.set_weights")
def stateful():
    inputs = keras.Input((STEPS, FEATURES), batch_size=9, name="list")
    return head(inputs, layers.GRU(3, use_bias=False, stateful=True)(inputs))


@zoo("padding by a sentinel of -999 (Masking(-999))")
def sentinel():
    inputs = particles()
    return head(inputs, layers.GRU(3, use_bias=False)(layers.Masking(-999.0)(inputs)))


@zoo("lists of unknown length: both directions of an LSTM, TimeDistributed dense layers, mean of the real ones")
def distributed_unknown_length():
    inputs = particles(steps=None)
    h = layers.Bidirectional(layers.LSTM(3, use_bias=False, return_sequences=True))(layers.Masking()(inputs))
    return head(inputs, layers.GlobalAveragePooling1D()(layers.TimeDistributed(dense(4, "relu"))(h)))
