"""Attributes that cannot be changed, because nothing would obey the change."""

from __future__ import annotations

from typing import Any, ClassVar

from ..errors import ArgumentError


class Fixed:
    """Refuses to change the attributes named in `fixed`, once set, and what can only be read."""

    fixed: ClassVar[frozenset[str]] = frozenset()

    def __setattr__(self, name: str, value: Any) -> None:
        found = getattr(type(self), name, None)
        read_only = isinstance(found, property) and found.fset is None
        if read_only or (name in self.fixed and name in self.__dict__):
            raise ArgumentError.of(name, "of a flow cannot be changed; make a new flow.")
        super().__setattr__(name, value)
