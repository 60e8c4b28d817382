"""Research at scale: what is evaluated, how it is told apart, planned and run."""
