"""Regularisers: one file each."""
