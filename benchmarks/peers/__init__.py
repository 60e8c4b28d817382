"""One module per participant; each runs in its own process, most in an environment of their own."""
