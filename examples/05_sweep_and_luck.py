"""A sweep from Python: the best point, whether it stands on a plateau, and how likely it is to be luck.

$ python examples/05_sweep_and_luck.py
"""

from gpt_trader import load_bars, sweep
from gpt_trader.strategies import load_strategy


def main() -> None:
    """Sweep a grid, then say what its best is worth."""
    bars = load_bars("AAPL")
    result = sweep(
        load_strategy("demo_ma"),
        bars,
        {"fast": range(5, 61, 5), "slow": range(20, 201, 10)},
        constraints=["fast < slow"],
        trials=1_000,  # with all that was tried before on these bars: in Python nobody counts it for you
    )
    print(f"{len(result)} points on {bars.T:,} bars of AAPL\n")
    columns = ["fast", "slow", "sharpe", "cagr", "max_drawdown", "round_trips", "plateau"]
    print(result.table[columns].head(5).round(3).to_string(index=False))

    best, steady = result.best, result.most_robust
    print(f"\nbest      {best.parameters}, Sharpe {best.metrics['sharpe']:.2f}, around it {best.plateau:.2f}")
    if steady is not None:
        print(
            f"most robust {steady.parameters}, Sharpe {steady.metrics['sharpe']:.2f}, around it {steady.plateau:.2f}"
        )
    if result.statistics is not None:
        print(f"\n{result.statistics.verdict()}")


if __name__ == "__main__":
    main()
