"""Whether what is explained is a function of one sequence, with a gradient: asked before any number is given."""
