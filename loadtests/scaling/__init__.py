"""How a deployment scales: worker processes and concurrency swept, a law fitted, its prediction checked by a run."""
