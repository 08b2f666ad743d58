"""From a dense network and a MAC budget to a compact network."""
