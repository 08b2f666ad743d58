"""What widths cost in MACs, and which units are removed so that the budget is met."""
