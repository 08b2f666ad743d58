"""Everything measured: confirmed accuracies, samples, the frontier, the ledger."""
