"""Conclusions from the evidence: comparisons, verdicts, their sentences, and caveats."""
