"""How screens and reports write money. Nothing else: what they say is theirs."""

from __future__ import annotations

from shebao.codecs.statement import format_yuan


def money(fen: int) -> str:
    """Yuan with two decimals and thousands separators: -1234567 is `-12,345.67`."""
    whole, _, cents = format_yuan(abs(fen)).partition(".")
    return f"{'-' if fen < 0 else ''}{int(whole):,}.{cents}"
