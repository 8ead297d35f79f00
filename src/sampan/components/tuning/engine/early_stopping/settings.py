"""Reads the settings of an early stopping algorithm: strings in the API, refused with the setting's name.

Upstream's words where upstream refuses; kubeflow/katib 0.19 pkg/earlystopping/v1beta1/medianstop/service.py.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from sampan.components.tuning.api.suggesting import InvalidSettingsError

_MOST = 2**63 - 1


class Settings:
    """Of the algorithm called `algorithm`. All methods raise InvalidSettingsError."""

    def __init__(self, algorithm: str, given: Mapping[str, str]) -> None:
        self._algorithm = algorithm
        self._given = given

    def only(self, *known: str) -> None:
        for name in self._given:
            if name not in known:
                raise InvalidSettingsError(
                    f"unknown setting {name} for algorithm {self._algorithm}",
                    f": it knows {', '.join(known) or 'none'}",
                )

    def without(self, *names: str) -> Settings:
        """The others, for an algorithm within this one."""
        return Settings(
            self._algorithm, {name: each for name, each in self._given.items() if name not in names}
        )

    def text(self, name: str, default: str = "") -> str:
        return self._given.get(name, default)

    def whole(self, name: str, default: int, least: int, most: int = _MOST) -> int:
        value = self._given.get(name)
        if value is None:
            return default
        try:
            found = int(value)
        except ValueError as error:
            raise InvalidSettingsError(f"failed to validate {name}({value}): {error}") from None
        if found < least:
            raise InvalidSettingsError(f"{name} must be a whole number of at least {least}, not {found}")
        if found > most:
            raise InvalidSettingsError(f"{name} must be a whole number of at most {most}, not {value[:40]}")
        return found

    def real(self, name: str, default: float, least: float = -math.inf, most: float = math.inf) -> float:
        value = self._given.get(name)
        if value is None:
            return default
        try:
            found = float(value)
        except ValueError as error:
            raise InvalidSettingsError(f"failed to validate {name}({value}): {error}") from None
        if not least <= found <= most:
            raise InvalidSettingsError(f"{name} must be a number from {least:g} to {most:g}, not {value}")
        return found

    def real_or_none(self, name: str) -> float | None:
        return None if name not in self._given else self.real(name, 0.0)

    def whole_or_auto(self, name: str, default: int | None, least: int = 1) -> int | None:
        """None for `auto`."""
        if self._given.get(name, "auto" if default is None else "") == "auto":
            return None
        return self.whole(name, default or least, least)
