"""From a network to a narrower one, to its architecture, and back."""
