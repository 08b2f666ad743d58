"""Records: what a trial is, what came of it, and where that is kept."""
