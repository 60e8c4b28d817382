"""Account-wide limits that stand behind every strategy, and their named profiles."""

from __future__ import annotations

from dataclasses import dataclass, fields

from gpt_trader.errors import BadParameter, UnknownName

BREACHES = ("halt", "flatten")
CUSTOM = "custom"
SHARES = ("daily_loss", "weekly_loss", "monthly_loss", "drawdown", "correlation")
"""Limits that nothing can exceed beyond 1, so that 15 for 15 % would be no limit at all."""


@dataclass(frozen=True, slots=True)
class RiskLimits:
    """Limits as shares of equity unless said otherwise; None switches one off (docs/risk.md).

    `position`, `gross`, `net` exposure; `cash` that must remain; `daily_loss`, `weekly_loss`, `monthly_loss`,
    `drawdown`; `positions` held at once; `order_volume` share of the decision bar's volume one order may be; `sector`
    exposure where sectors are known; `correlation` of an entrant's returns with a holding's over `correlation_bars`.
    `on_drawdown` halts entries or flattens. Raises BadParameter for a limit that is not positive, or
    a share of losses or a correlation above 1.
    """

    position: float | None = 0.10
    gross: float | None = 0.95
    net: float | None = 0.90
    cash: float | None = 0.05
    daily_loss: float | None = 0.03
    weekly_loss: float | None = 0.08
    monthly_loss: float | None = 0.15
    drawdown: float | None = 0.15
    positions: int | None = 20
    order_volume: float | None = 0.05
    sector: float | None = 0.30
    correlation: float | None = 0.70
    correlation_bars: int = 60
    on_drawdown: str = "halt"

    def __post_init__(self) -> None:
        if self.on_drawdown not in BREACHES:
            raise UnknownName("drawdown action", self.on_drawdown, BREACHES)
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, int | float) and not (value > 0 or (item.name == "cash" and value == 0)):
                raise BadParameter(
                    f"risk: {item.name} is {value}; give a positive limit, or None for no limit"
                )
            if item.name in SHARES and value is not None and value > 1:
                raise BadParameter(
                    f"risk: {item.name} is {value}; it lies between 0 and 1 (0.15 is 15 %), or None for no limit"
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


PROFILES = {
    "conservative": RiskLimits(0.05, 0.60, 0.60, 0.20, 0.015, 0.04, 0.08, 0.08, 30, 0.02, 0.20, 0.60),
    "moderate": RiskLimits(),
    "aggressive": RiskLimits(0.25, 1.50, 1.50, 0.0, 0.06, 0.15, 0.25, 0.30, 40, 0.10, 0.50, 0.90),
}

NO_LIMITS = RiskLimits(*(None,) * 12)
"""Every limit off: what single limits without a profile, or with the profile custom, are added to."""
