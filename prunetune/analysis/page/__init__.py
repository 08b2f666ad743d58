"""How a report is shown: as a page, in a terminal, as tables and figures."""
