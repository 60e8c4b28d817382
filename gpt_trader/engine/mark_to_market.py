"""Step 2 of a bar: positions are marked at the close; their ages, peaks and stops move, and the account's curves get the bar."""

from __future__ import annotations

import numpy as np

from gpt_trader.bars import CLOSE
from gpt_trader.engine.exit_levels import arm_stops, tighten_atr_stop
from gpt_trader.engine.jit import inlined
from gpt_trader.engine.positions import list_positions
from gpt_trader.engine.records import (
    ATR_STOP,
    CASH,
    EQUITY,
    GROSS,
    NET,
    R_TIME_STOP,
    AccountState,
    MarketData,
)
from gpt_trader.engine.trading_halts import close_at_next_open


@inlined
def mark_to_market(m: MarketData, b: AccountState, t: int) -> None:
    """Close prices become marks; open positions age, move their peaks and stops; bar t of the account's curves is written."""
    account = b.account[0]
    r = b.rules[0]
    if account.list_stale != 0:
        list_positions(b)
    gross = 0.0
    net = 0.0
    shorts = 0
    exits_on, atr_stop, time_stop = r.exits_on > 0.0, r.stop_atr_k > 0.0, r.time_stop > 0.0
    for k in range(account.positions):
        n = b.symbols[k].holding
        s = b.symbols[n]
        close = m.panel[CLOSE, t, n]
        if not np.isnan(close):
            s.mark = close
            s.age += int(s.opened < account.bar)
            s.peak = max(s.peak, close) if s.qty > 0.0 else min(s.peak, close)
            if exits_on:
                arm_stops(b, n)
            if atr_stop:
                tighten_atr_stop(b, n, close, m.signals[ATR_STOP, t, n])
            if time_stop and s.age >= r.time_stop and s.exiting == 0:
                close_at_next_open(b, n, R_TIME_STOP)
        value = s.qty * s.mark
        net += value
        gross += abs(value)
        shorts += int(s.qty < 0.0)
    account.shorts = shorts
    account.gross = gross
    account.equity = account.cash + net
    b.account_curves[EQUITY, t] = account.equity
    b.account_curves[CASH, t] = account.cash
    b.account_curves[GROSS, t] = gross
    b.account_curves[NET, t] = net
