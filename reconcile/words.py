"""How screens and reports write money. Nothing else: what they say is theirs."""

from __future__ import annotations

from shebao.codecs.statement import grouped_yuan as money

__all__ = ["money"]
