"""Model cards and Kipoi YAML: what an entry's files must hold, read with line numbers."""
