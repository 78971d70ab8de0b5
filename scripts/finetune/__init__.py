"""One script for each claim of `zoo finetune`, minutes each, and its figures."""
