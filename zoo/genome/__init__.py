"""From a regions file and a FASTA to one-hot batches: intervals -> windows -> fasta -> encode."""
