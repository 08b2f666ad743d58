"""The sweep file: what may be written in it, and what it means."""
