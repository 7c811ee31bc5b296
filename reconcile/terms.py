"""The names of classes and actions as people read and type them: Chinese or English, in any case."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import click

from shebao.ledger.rulings import ALLOWED

from .worklist import CHINESE, PROPOSALS

ACTION_WORDS: Final = {
    "pay": "入账 pay", "suspense": "挂账 suspense", "reverse": "冲回 reverse", "return": "退回 return",
    "carry": "结转 carry", "accept": "认账 accept", "undo": "撤回 undo",
    "receive": "到账 received", "cancel": "冲销 cancel", "payback": "退回银行 pay back", "refund": "退费 refund",
    "refund-paid": "退费付出 refund paid", "sweep": "上解财政专户 sweep", "replace": "替换文件 replace file",
}  # fmt: skip
AWAITED: Final = {"ask": "向银行查询 ask the bank"}  # a proposal that is no action: nothing can be decided before
JUDGEMENT_WORDS: Final = {"approve": "同意 approve", "reject": "驳回 reject"}
_CLASSES: Final = {CHINESE[name]: name for name in PROPOSALS}
_ACTIONS: Final = {
    **{ACTION_WORDS[name].partition(" ")[0]: name for name in ALLOWED}, "冲正": "reverse",
    **{words.partition(" ")[0]: name for name, words in JUDGEMENT_WORDS.items()}, "批准": "approve",
}  # fmt: skip


def class_of(text: str) -> str:
    """`BANK_ONLY` of `长款`, `bank_only` or `长款 BANK_ONLY`; what is no class stays as it is."""
    return _known(text, _CLASSES, PROPOSALS)


def action_of(text: str) -> str:
    """`pay` of `入账`, `PAY` or `入账 pay`; what is no action stays as it is."""
    return _known(text, _ACTIONS, [*ALLOWED, *JUDGEMENT_WORDS])


def _known(text: str, chinese: Mapping[str, str], names: Iterable[str]) -> str:
    folded = {**chinese, **{name.casefold(): name for name in names}}
    words = text.split()
    found = {folded.get(word.casefold(), "") for word in words}
    return found.pop() if len(found) == 1 and found != {""} else text


def class_words(item_class: str) -> str:
    return f"{CHINESE[item_class]} {item_class}" if item_class in CHINESE else item_class


class _Class(click.Choice[str]):
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """As click asks for it."""
        return super().convert(class_of(value), param, ctx)


class _Action(click.Choice[str]):
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """As click asks for it."""
        return super().convert(action_of(value), param, ctx)


CLASS: Final = _Class([*PROPOSALS])
ACTION: Final = _Action([*ALLOWED])
