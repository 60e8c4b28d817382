"""What a fill does: the only place where quantities change hands, whoever filled the order, and what is paid beside fills."""

from __future__ import annotations

from gpt_trader.engine.fill_effects import after_fill
from gpt_trader.engine.jit import inlined, kernel, not_inlined
from gpt_trader.engine.order_book import complete_order
from gpt_trader.engine.positions import SMALL, change_position, shift_position
from gpt_trader.engine.records import E_FILLED, PARTIAL, AccountState


@inlined
def apply_fill(
    b: AccountState, order: int, quantity: float, price: float, fee: float, slippage: float, intrabar: bool
) -> None:
    """Apply a fill of the signed `quantity` of a live order at `price` to cash, position, round trip, order and logs.

    `fee` is what the venue charges for it, in cash. `slippage`, in cash too, is what the fill cost against `price`: the simulated
    venue reports a price inside the bar and the slippage beside it; of a real venue it is 0, for its price says all. `intrabar`
    says that it happened inside the bar, not at its open.
    """
    account = b.account[0]
    o = b.orders[order]
    n = o.symbol
    s = b.symbols[n]
    was = s.qty
    costs = fee + slippage
    o.filled += quantity
    o.status = max(o.status, PARTIAL)  # one that is to be cancelled, or of which nothing is known, stays so
    account.cash -= quantity * price + costs
    account.equity += s.qty * (price - s.mark) - costs
    account.gross += abs(s.qty + quantity) * price - abs(s.qty) * s.mark
    account.commission += fee
    account.slippage += slippage
    account.traded += abs(quantity) * price
    s.mark = price
    f = b.fills[account.fills]
    f.quantity = quantity
    f.price = price
    f.commission = fee
    f.slippage = slippage
    f.order = o.id
    f.symbol = n
    f.bar = account.bar
    f.reason = o.reason
    f.event = E_FILLED
    account.fills += 1
    shift_position(b, n, quantity, price, costs, intrabar, o.reason)
    if abs(o.quantity - o.filled) <= SMALL:
        complete_order(b, order)
    after_fill(b, order, was, quantity, intrabar, price)


apply_fill_call = not_inlined(apply_fill)


@kernel
def pay(b: AccountState, n: int, cash: float) -> None:
    """Cash that a position earns (or costs, negative) and its round trip remembers as income."""
    account = b.account[0]
    account.cash += cash
    account.equity += cash
    b.symbols[n].income += cash


@inlined
def charge_borrow(b: AccountState, n: int, fee: float) -> None:
    """What lending the shares of a short position costs."""
    account = b.account[0]
    account.cash -= fee
    account.equity -= fee
    account.borrow += fee
    b.symbols[n].costs += fee


@kernel
def settle_fraction(b: AccountState, n: int, exact: float, whole: float, reason: int) -> None:
    """After a split the position of symbol n would be `exact` shares: it becomes `whole`, and the rest is paid at the mark.

    Where nothing is left the round trip ends with that payment, without a fill.
    """
    account = b.account[0]
    s = b.symbols[n]
    account.gross -= abs(exact - whole) * s.mark
    if whole == 0.0:
        account.cash += exact * s.mark
        s.qty = exact
        change_position(b, n, -exact, s.mark, 0.0, False, reason)
    else:
        account.equity -= (exact - whole) * s.mark
        pay(b, n, (exact - whole) * s.mark)
        s.qty = whole
