"""The HTML report of a run: one self-contained file (see docs/decisions/0004)."""

from gpt_trader.adapters.report.run_report import render, write_report

__all__ = ["render", "write_report"]
