"""What the evidence allows to say: comparisons, verdicts and the sentences for them."""
