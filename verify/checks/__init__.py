"""One module per concern: its promises as data, and the questions that are asked for them."""
