"""The sweep file: what it may say, and what that means."""
