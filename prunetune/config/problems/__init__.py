"""What is wrong with a sweep file, in its own words."""
