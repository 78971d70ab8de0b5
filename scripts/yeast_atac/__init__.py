"""The bundled model: its data, training, evaluation, example and picture."""
