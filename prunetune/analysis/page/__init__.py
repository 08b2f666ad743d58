"""A report in its forms: HTML page, terminal text, CSV tables, figures."""
