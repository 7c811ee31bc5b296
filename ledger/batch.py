"""The shape of every write: lock and load, decide and encode in order, write, commit (wire.md section 6, rule 5).

The lane's batches and every command that changes the books go through `run`. It knows neither engine nor wire.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from shebao.codecs.errors import Code

from .backend import Backend
from .decide import decide
from .facts import Decision, Facts, Request
from .journal import apply
from .load import READ_ONLY, load
from .write import write

Encode = Callable[[Request, Decision], bytes]  # the reply's body without MTI and MAC


class Answer(NamedTuple):
    """What one request is answered, once the batch is durable."""

    code: str
    reply: bytes
    decision: Decision | None  # None: it failed by a fault of our own (96)
    fault: Exception | None = None


def run(
    backend: Backend, requests: Sequence[Request], now_us: Callable[[], int], encode: Encode, reply_deadline_us: int,
    durable: bool = True,
) -> list[Answer]:  # fmt: skip
    """Decide a batch and make it durable; the answers, in order. Raises StoreError or CommitInDoubt.

    durable False: only what would be answered.
    """
    backend.begin(writing=any(request.service not in READ_ONLY for request in requests))
    try:
        facts = load(backend, requests, reply_deadline_us)
        facts.now_us = now_us()  # the batch's moment: under its locks, so that no date has moved since
        answers = [_answer(request, facts, encode) for request in requests]
        if not durable:
            backend.rollback()
            return answers
        if facts.new_events:
            write(backend, facts)
        elif any(answer.decision is not None and answer.decision.replay is not None for answer in answers):
            backend.hold()
    except BaseException:
        backend.rollback()
        raise
    backend.commit()
    return answers


def _answer(request: Request, facts: Facts, encode: Encode) -> Answer:
    """Decide one request. A fault of our own is 96 for it, without effect; the batch goes on (rule 1)."""
    try:
        decision = decide(request, facts)
        reply = encode(request, decision) if decision.replay is None else decision.replay
        apply(facts, request, decision, reply)
        return Answer(decision.code, reply, decision)
    except Exception as fault:
        refusal = Decision(Code.MALFUNCTION)
        return Answer(refusal.code, encode(request, refusal), None, fault)
