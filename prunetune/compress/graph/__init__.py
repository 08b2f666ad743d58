"""Which channels must be removed together. Only this room imports torch-pruning."""
