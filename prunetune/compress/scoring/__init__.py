"""Tools that several criteria share: passes over images, samples, least squares and sums."""
