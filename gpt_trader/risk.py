"""Account-wide limits that stand behind every strategy, and their named profiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from gpt_trader.declared_rules import below, check_kinds, rule, rules_of
from gpt_trader.errors import BadParameter, UnknownName

Value = TypeVar("Value")
NO_LIMIT = 1e18
"""What the engine's record holds for a limit that is not given: no share of equity comes near it."""
BREACHES = ("halt", "flatten")
CUSTOM = "custom"
PROFILE_NAMES = ("conservative", "moderate", "aggressive")


def limit(
    moderate: Value, text: str, unit: str, conservative: Value, aggressive: Value, flag: str, **more: Any
) -> Value:
    """A limit with its value in each profile; `more` as in `Rule`. It is positive, or None: switched off."""
    values = {"conservative": conservative, "aggressive": aggressive}
    given = {"low": 0.0, "above": True, "optional": True} | more
    return rule(moderate, text, unit, flag=f"--limit-{flag}", profiles=values, **given)


# fmt: off
@dataclass(frozen=True, slots=True)
class RiskLimits:
    """Limits as shares of equity unless said otherwise; None switches one off (docs/risk.md).

    `position`, `gross`, `net` exposure; `cash` that must remain; `daily_loss`, `weekly_loss`, `monthly_loss`,
    `drawdown`; `positions` held at once; `order_volume` share of the decision bar's volume one order may be; `sector`
    exposure where sectors are known; `correlation` of an entrant's returns with a holding's over `correlation_bars`.
    `on_drawdown` halts entries or flattens. Raises BadParameter for a limit that is not positive, or
    a share of losses or a correlation above 1.
    """

    position: float | None = limit(
        0.10, "Weight of one position.", "share", 0.05, 0.25, "position",
        record="risk_position", verdict=(11, "risk position"))
    gross: float | None = limit(
        0.95, "Gross exposure, share of equity.", "share", 0.60, 1.50, "gross", record="risk_gross", verdict=(12, "risk gross"))
    net: float | None = limit(
        0.90, "Net exposure, share of equity.", "share", 0.60, 1.50, "net", record="risk_net", verdict=(13, "risk net"))
    cash: float | None = limit(
        0.05, "Cash that must remain, share of equity.", "share", 0.20, 0.0, "cash", above=False,
        record="risk_cash", none=-1.0, verdict=(14, "risk cash"))
    daily_loss: float | None = limit(
        0.03, "Loss of a day that stops entries.", "share", 0.015, 0.06, "daily-loss", high=1, record="daily_loss")
    weekly_loss: float | None = limit(
        0.08, "Loss of a week that stops entries.", "share", 0.04, 0.15, "weekly-loss", high=1, record="weekly_loss")
    monthly_loss: float | None = limit(
        0.15, "Loss of a month that stops entries.", "share", 0.08, 0.25, "monthly-loss", high=1, record="monthly_loss")
    drawdown: float | None = limit(
        0.15, "Fall from the highest equity that ends entries.", "share", 0.08, 0.30, "drawdown", high=1, record="drawdown")
    positions: int | None = limit(20, "Positions at a time.", "count", 30, 40, "positions", verdict=(17, "risk positions"))
    order_volume: float | None = limit(
        0.05, "An order's share of the bar's volume.", "share", 0.02, 0.10, "order-volume",
        record="order_volume", verdict=(18, "order volume"))
    sector: float | None = limit(
        0.30, "Exposure to one sector, where sectors are known.", "share", 0.20, 0.50, "sector",
        record="sector_cap", verdict=(15, "risk sector"))
    correlation: float | None = limit(
        0.70, "Correlation of an entrant with a holding.", "correlation", 0.60, 0.90, "correlation", high=1,
        record="correlation", verdict=(16, "risk correlation"))
    correlation_bars: int = rule(60, "Bars of it.", "bars", low=0, above=True, record="correlation_bars")
    on_drawdown: str = rule("halt", "At the drawdown limit.", "choice", choices=BREACHES, record="flatten")
    # fmt: on

    def __post_init__(self) -> None:
        if self.on_drawdown not in BREACHES:
            raise UnknownName("drawdown action", self.on_drawdown, BREACHES)
        check_kinds(self)
        for name, row in LIMITS.items():
            value = getattr(self, name)
            if isinstance(value, int | float) and below(value, row):
                raise BadParameter(f"risk: {name} is {value}; give a positive limit, or None for no limit")
            if row.high is not None and value is not None and value > row.high:
                raise BadParameter(
                    f"risk: {name} is {value}; it lies between 0 and {row.high:g} (0.15 is 15 %), or None for no limit"
                )

    @classmethod
    def profile(cls, name: str) -> RiskLimits:
        """A named profile: conservative, moderate (the defaults), aggressive, or custom: every limit off, to be set one by one.

        Raises UnknownName for another name.
        """
        if name == CUSTOM:
            return NO_LIMITS
        if name not in PROFILES:
            raise UnknownName("risk profile", name, [*PROFILES, CUSTOM])
        return PROFILES[name]


LIMITS = rules_of(RiskLimits)
"""The row of each field."""

VERDICTS_OF_LIMITS = tuple(name for _, name in sorted(row.verdict for row in LIMITS.values() if row.verdict))
"""Names of the rules that limit, in the order of their codes in the log of decisions."""

PROFILES = {
    name: RiskLimits(**{key: row.profiles[name] for key, row in LIMITS.items() if name in (row.profiles or {})})  # type: ignore[index]
    for name in PROFILE_NAMES
}

NO_LIMITS = RiskLimits(**{name: None for name, row in LIMITS.items() if row.optional})  # type: ignore[arg-type]
"""Every limit off: what single limits without a profile, or with the profile custom, are added to."""


def verdict_code(name: str) -> int:
    """The code of a limit's rule in the log of decisions. Raises KeyError where there is none."""
    row = LIMITS.get(name)
    if row is None or row.verdict is None:
        raise KeyError(f"{name} is no limit with a verdict of its own")
    return row.verdict[0]
