"""Figures of entries on the data folder, one kind of data a module: ``figures(name, data)`` of each gives a card's."""
