"""Statistics of small samples, as pure functions of numbers: no plan, no record, no file.

Accuracies and their differences lie in [0, 1]; log MACs are natural logarithms; p values and levels
are not corrected unless the name says so. Every function names the source of its formula.
"""
