"""Files, pipes, text and tables of variants to rows."""
