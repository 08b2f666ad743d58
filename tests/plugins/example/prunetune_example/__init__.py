"""A part of every kind for prunetune, one file each."""
