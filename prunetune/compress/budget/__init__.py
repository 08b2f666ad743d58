"""What widths cost in MACs, and which units go so that the budget is met."""
