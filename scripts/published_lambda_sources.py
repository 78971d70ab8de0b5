"""What the Lambdas of published models compute, in the words of their sources up to the names of variables.

FramePool: https://github.com/Karollus/5UTR, ``Modelling/model.py`` and ``model_combined.py`` (``known_positions``,
``masked``, ``masked_average``, ``product``, ``complement``). APARENT2: https://github.com/johli/aparent-resnet,
``aparent/model/aparent_model_plasmid_resnet_var_batch_size_inference_mode.py`` (the others).
"""

BOTH = "def f(t):\n    a = t[0]\n    b = t[1]\n"
OVER = "    b = K.expand_dims(b, axis=2)\n"
SOURCES = {
    "relu": ["f = lambda x: K.relu(x, alpha=0.0)"],
    "sum_of_two": ["f = lambda x: x[0] + x[1]"],
    "one_position_more": ["f = lambda x: K.concatenate([x, K.zeros((K.shape(x)[0], 1, 1, 1))], axis=2)"],
    "at_every_position": ["f = lambda x: K.tile(K.expand_dims(K.expand_dims(x, axis=1), axis=2), (1, 1, 206, 1))"],
    "cut_probabilities": ["f = lambda x: K.softmax(x[:, 0, :, 0], axis=-1)"],
    "share_of_window": ["f = lambda cl: K.expand_dims(K.sum(cl[:, 80:80+30], axis=-1), axis=-1)"],
    "known_positions": ["def f(x):\n    return K.sum(x, axis=2)"],
    "masked": [BOTH + OVER + f"    return {tf}.multiply(a, b)" for tf in ("tf", "K.tf")],
    "masked_average": [BOTH + OVER + "    return K.sum(a, axis=1)/K.sum(b, axis=1)"],
    "product": [BOTH + f"    return {tf}.multiply(a, b)" for tf in ("tf", "K.tf")],
    "complement": ["f = lambda x: 1-x"],
}
