"""Speed and memory beside the peers, and known motifs that must come out: ``python -m scripts.bench.predict``, ..."""
