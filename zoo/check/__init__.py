"""``zoo check``: is an entry valid, does it run, does it reproduce? Foreign code runs confined."""
