"""Networks: the inputs that each network takes, and the Keras model that it builds.

Each network is one module of this folder, which registers one `xaug.networks.registry.Network`.
"""
