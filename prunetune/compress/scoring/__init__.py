"""What several criteria share: passes over images, samples, fits and sums."""
