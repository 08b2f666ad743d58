"""The door to Ray: one Tune run for a whole sweep, and what decides within it."""
