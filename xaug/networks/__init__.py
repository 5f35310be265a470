"""Networks: which inputs each one takes, and the Keras model that it is."""
