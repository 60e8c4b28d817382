"""Which configuration a command uses, and the store and runs folder it names; flags win over it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gpt_trader.errors import UserError

if TYPE_CHECKING:
    from gpt_trader.adapters.configuration import Configuration
    from gpt_trader.adapters.profiles import Profile
    from gpt_trader.adapters.store import RunStore

PANEL = "Settings"


@dataclass(frozen=True, slots=True)
class SettingsOptions:
    """`--config`, which every command that reads settings has."""

    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help="Configuration file. (default gpt-trader.toml where there is one)",
            rich_help_panel=PANEL,
        ),
    ] = None

    def load(self, profile: Profile | None = None) -> Configuration:
        """The configuration of this call: file, then environment, then what a profile says. Raises UserError for a wrong one."""
        from gpt_trader.adapters.configuration import load

        if profile is None:
            return load(self.config)
        return load(self.config, None, profile.settings, given_by=str(profile.path))


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """`--store`: where runs are kept."""

    store: Annotated[
        str | None,
        typer.Option(
            "--store",
            metavar="URL",
            help="Store of runs: sqlite:///FILE or postgresql://… (default .gpt-trader/store.sqlite)",
            rich_help_panel=PANEL,
        ),
    ] = None

    def open(self, configuration: Configuration) -> RunStore:
        """The store that the flag, else the configuration, names; opening makes or upgrades its schema when used."""
        from gpt_trader.adapters.store import RunStore

        return RunStore(self.store or configuration.store.url)

    @contextmanager
    def reading(self, configuration: Configuration) -> Iterator[RunStore | None]:
        """The same store for a command that only reads; None when there is none yet, and none is made.

        Raises UserError when it was the flag that named it.
        """
        with self.open(configuration) as store:
            there = store.exists()
            if self.store is not None and not there:
                raise UserError(
                    f"there is no store {store.location.shown}; check its name, or run a backtest with it, which makes one"
                )
            yield store if there else None
