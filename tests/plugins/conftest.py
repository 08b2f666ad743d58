"""The example's own tests want it installed; `test_plugins.py` runs them so."""

collect_ignore = ["example"]
