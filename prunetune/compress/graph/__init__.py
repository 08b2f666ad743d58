"""Which channels stand or fall together; the one door to torch-pruning."""
