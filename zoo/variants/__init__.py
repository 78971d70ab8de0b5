"""What a change of sequence does: one network read twice with the same weights, REF and ALT."""
