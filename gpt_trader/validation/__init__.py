"""Validation: what a result is worth, as statistics of returns, splits of time and resampled markets."""
