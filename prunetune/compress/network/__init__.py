"""From a network to a narrower one, and to its architecture and back."""
