"""What judges a system under faults: a steady sender, a history, a checker, a report."""
