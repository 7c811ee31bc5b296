"""How a report calls things, Chinese first: types, channels, states, kinds of decisions, accounts; and money."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from shebao.ledger.day import time_of
from shebao.ledger.desk import NOT_BLOCKING

from .sheet import Text

TYPES: Final = {
    "110": ("企业职工养老", "enterprise pension"), "120": ("机关事业养老", "public-institution pension"),
    "170": ("城乡居民养老", "resident pension"), "210": ("失业", "unemployment"),
    "310": ("职工医疗", "employee medical"), "390": ("城乡居民医疗", "resident medical"),
    "410": ("工伤", "work injury"), "510": ("生育", "maternity"), "suspense": ("挂账", "suspense"),
}  # fmt: skip
CHANNELS: Final = {
    "01": ("柜面", "counter"), "02": ("自助终端", "kiosk"), "03": ("网上银行", "net bank"),
    "04": ("手机银行", "mobile bank"), "05": ("批量代扣", "batch debit"),
}  # fmt: skip
STATES: Final = {
    "OPEN": ("未日切", "open"), "CLOSED": ("已日切，未对账", "cut over, not compared"),
    "DIFFERS": ("有差异", "exceptions"),
    "RECONCILED": ("已对平，款未结清", "reconciled, not settled"),
    "SETTLED": ("已结清", "settled"), "": ("无此日", "no such date"),
}  # fmt: skip
EXCEPTION_STATES: Final = {
    "OPEN": ("待处理", "open"), "PROPOSED": ("待复核", "proposed"), "CARRIED": ("结转", "carried"),
    "DECIDED": ("已处理", "decided"), "CLOSED": ("已了结", "closed"),
}  # fmt: skip
CLASSES: Final = {  # as heads of narrow columns
    "MATCHED": ("相符", "matched"), "OTHER_DATE": ("跨日", "other date"), "BANK_ONLY": ("长款", "bank only"),
    "LEDGER_ONLY": ("短款", "ledger only"), "AMOUNT_DIFFERS": ("金额不符", "amount differs"),
    "STATE_DIFFERS": ("状态不符", "state differs"), "DUPLICATE": ("重复", "duplicate"),
}  # fmt: skip
KINDS: Final = {  # of events that move money; the summaries of vouchers
    "payment": ("缴费", "payment"), "advice": ("缴费通知", "advice"), "unvoid": ("撤销的冲正", "void reversed"),
    "void": ("撤销", "void"), "reversal": ("冲正", "reversal"), "booked": ("补记缴费", "booked by decision"),
    "parked": ("补记挂账", "parked in suspense"), "applied": ("挂账入账", "suspense applied"),
    "returned": ("挂账退回", "suspense returned"), "reversed": ("更正冲回", "reversed by decision"),
    "undone": ("撤回", "decision undone"), "received": ("收到银行划款", "money received"),
    "paidback": ("退回银行", "paid back"), "cancelled": ("冲销收付款记录", "receipt or pay-back cancelled"),
    "refunded": ("退费", "refund decided"), "refundpaid": ("退费付出", "refund paid"),
    "swept": ("上解财政专户", "swept to treasury"),
}  # fmt: skip
ACCOUNTS: Final = {
    "clearing": ("银行代收清算", "clearing"), "fund": ("基金收入", "fund"), "suspense": ("挂账", "suspense"),
    "refund": ("应退费", "refund"), "special": ("社保专用账户", "special account"),
    "treasury": ("财政专户", "treasury"),
}  # fmt: skip
FULL_WIDTH: Final = str.maketrans({",": "，", ":": "：", ";": "；"})


def state_of_exception(item_class: str, state: str) -> Text:
    """Money in suspense blocks nothing: it waits to be cleared up."""
    if item_class == NOT_BLOCKING and state == "OPEN":
        return Text("挂账待查", "in suspense")
    return Text(*EXCEPTION_STATES[state])


def full_width(chinese: str) -> str:
    """Chinese words with Chinese punctuation."""
    return chinese.translate(FULL_WIDTH)


def month(number: int) -> str:
    """YYYYMM → YYYY-MM."""
    return f"{number // 100:04d}-{number % 100:02d}"


def moment(at_us: int) -> str:
    return stamp(time_of(at_us))


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S")


def time_text(trace: int) -> str:
    """When a line was made, from its trace: MM-DD hh:mm:ss."""
    t = f"{trace:018d}"
    return f"{t[2:4]}-{t[4:6]} {t[6:8]}:{t[8:10]}:{t[10:12]}"
