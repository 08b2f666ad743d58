"""Prune a network or train a thinner one? prunetune answers at equal FLOPs."""
