"""The heart: one request against the facts, one decision. Pure: nothing is changed, nothing is read from outside.

What is the same for all stands here: a key seen before, age, deadline; then one table from service to rule.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from shebao.codecs.errors import Code

from . import day, desk, inquiry, payment, reversal, totals, withdrawal
from .facts import Decision, Event, Facts, KeyClass, Request

Rule = Callable[[Request, Facts], Decision]

RULES: Final[dict[str, Rule]] = {
    "inquiry": inquiry.inquire,
    "payment": payment.pay,
    "advice": payment.advise,
    "void": reversal.void,
    "reversal": reversal.reverse,
    "totals": totals.compare,
    "cutover": day.cut_over,
    "withdraw": withdrawal.withdraw,
    "desk": desk.rule,
}
# Asked for by somebody who waits, so not done when nobody waits any more (rule 9).
HAS_DEADLINE: Final = frozenset({"payment", "void"})


def decide(request: Request, facts: Facts) -> Decision:
    """Decide one request; the last steps of wire.md section 6, rule 1: key, age, deadline, then the business.

    Raises only for a bug (a fact that was not loaded, books that contradict themselves): the caller answers
    96 for this request, and the batch goes on.
    """
    known = _seen_before(request, facts)
    if known is not None:
        return known
    field = day.age_fault(request, facts.now_us)
    if field:
        return Decision(Code.FORMAT, {44: f"{field:03d}"})
    if is_too_late(request, facts):
        return Decision(Code.TOO_LATE)
    return RULES[request.service](request, facts)


def is_too_late(request: Request, facts: Facts) -> bool:
    """Whether a payment or void was read longer ago than the reply deadline (wire.md section 6, rule 9): 68."""
    return request.service in HAS_DEADLINE and facts.now_us - request.received_us > facts.reply_deadline_us


def _seen_before(request: Request, facts: Facts) -> Decision | None:
    """A request key seen before (wire.md section 6, rule 2): the stored reply byte for byte, or 94."""
    if request.key_class == KeyClass.NONE:
        return None
    for event in facts.events[request.book_id, request.trace]:
        if event.key_class == request.key_class:
            if _is_the_same(event, request):
                return Decision(Code(event.code), replay=event.reply)
            return Decision(Code.KEY_REUSED)
    return None


def _is_the_same(event: Event, request: Request) -> bool:
    """Whether DE3, DE4, DE90 and bill are as they were. A reversal names its bill by DE90 alone."""
    return (
        event.proc == request.proc
        and event.amount == request.amount
        and event.original_text == request.original_text
        and (event.bill == request.bill or request.key_class == KeyClass.REVERSAL)
    )
