"""The shortest backtest: bars, a shipped strategy, a result and its report.

$ python examples/01_three_lines.py

It uses the prices that are part of the package and writes three_lines.html into the working folder.
"""

from gpt_trader import Costs, backtest, load_bars
from gpt_trader.strategies import load_strategy

bars = load_bars(["AAPL"], source="demo")
result = backtest(load_strategy("demo_ma")(fast=10, slow=50), bars, capital=1_000_000, costs=Costs(bps=5))
result.report("three_lines.html")

print(result)
for name in ("cagr", "benchmark_cagr", "volatility", "sharpe", "benchmark_sharpe", "max_drawdown", "costs"):
    print(f"{name:<20} {result.metrics[name]:14,.3f}")
trades = result.closed_trades[["entry_time", "exit_time", "quantity", "pnl", "return_"]]
print(trades.tail(3).to_string(index=False, float_format="%.3f"))
for warning in result.warnings:
    print("note:", warning)
