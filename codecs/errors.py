"""What can be wrong with a message, and the codes that answer it (wire.md sections 6 rule 1 and 7).

Three kinds of fault, by what becomes of the message: `Unreadable`, which no one can answer, since MTI, bitmap, DE7
or DE11 are missing; a `Fault`, which names one field and is answered 30; and everything later, which is
a business outcome and therefore a `Code`, never an exception. No error text here ever holds a field's value.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple


class CodecError(Exception):
    """Base of every exception that a codec raises on purpose."""


# Every reason that an Unreadable can have: the closed list of a metric's label.
UNREADABLE_REASONS: Final = ("mti", "mti_digit", "bitmap", "de7", "de11")


class Unreadable(CodecError):
    """A body that can't be answered: count it, log it, close the line (wire.md section 6, rule 1).

    reason: one of UNREADABLE_REASONS. `mti_digit` is an MTI that does not begin with 0.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"unreadable message: {reason}")


class NotEncodable(CodecError):
    """Values that the dialect can't write: a bug of the caller's. Names the field, never its value."""

    def __init__(self, field: int, reason: str) -> None:
        self.field, self.reason = field, reason
        super().__init__(f"field {field} can't be encoded: {reason}")


# Every reason that a Fault can have.
FAULT_REASONS: Final = ("alphabet", "calendar", "cut", "forbidden", "length", "pad", "third_bitmap", "trailing")


class Fault(NamedTuple):
    """A field that is not as wire.md section 2 has it: answered 30, DE44 = de44."""

    field: int
    reason: str  # one of FAULT_REASONS, for the log

    @property
    def de44(self) -> str:
        return f"{self.field:03d}"


class Code(StrEnum):
    """DE39, wire.md section 7."""

    APPROVED = "00"
    INVALID = "12"
    AMOUNT = "13"
    CARD = "14"
    NOT_FOUND = "25"
    FORMAT = "30"
    BANK = "31"
    NOT_ENABLED = "40"
    NOT_CONFIRMED = "57"
    NOT_SIGNED_ON = "58"
    TOO_LATE = "68"
    INOPERATIVE = "91"
    KEY_REUSED = "94"
    TOTALS = "95"
    MALFUNCTION = "96"
    MAC = "A0"
    PAID = "B1"
    NOT_PAYABLE = "B2"
    NOT_PAYER = "B3"
    ENROLLED = "B4"
    REVERSED = "R1"
    TOO_LATE_TO_REVERSE = "R2"


# Outcomes that the journal keeps and a repeat gets again; all others are decided anew (wire.md section 6, rule 2).
KEPT: Final = frozenset(
    {
        Code.APPROVED,
        Code.AMOUNT,
        Code.CARD,
        Code.NOT_FOUND,
        Code.NOT_CONFIRMED,
        Code.PAID,
        Code.NOT_PAYABLE,
        Code.NOT_PAYER,
        Code.ENROLLED,
        Code.REVERSED,
        Code.TOO_LATE_TO_REVERSE,
    }
)

# Refusals that carry no DE48, whatever the request had (wire.md section 5).
WITHOUT_DE48: Final = frozenset(
    {
        Code.INVALID,
        Code.FORMAT,
        Code.BANK,
        Code.NOT_ENABLED,
        Code.NOT_SIGNED_ON,
        Code.TOO_LATE,
        Code.INOPERATIVE,
        Code.KEY_REUSED,
        Code.MALFUNCTION,
        Code.MAC,
    }
)


class Meaning(NamedTuple):
    """english: for logs and `explain`; teller: the MS of a refusal, for the teller's screen."""

    english: str
    teller: str


MEANINGS: Final[dict[Code, Meaning]] = {
    Code.APPROVED: Meaning("approved", "交易成功"),
    Code.INVALID: Meaning("invalid transaction", "无效交易"),
    Code.AMOUNT: Meaning("amount differs", "金额与缴费单不符"),
    Code.CARD: Meaning("card unknown", "市民卡号不存在"),
    Code.NOT_FOUND: Meaning("no such record", "没有找到相应记录"),
    Code.FORMAT: Meaning("format error", "报文格式错误"),
    Code.BANK: Meaning("bank not served here", "本系统未接入该银行"),
    Code.NOT_ENABLED: Meaning("function not enabled", "该功能未开通"),
    Code.NOT_CONFIRMED: Meaning("person not confirmed by the bank", "银行未确认本人身份"),
    Code.NOT_SIGNED_ON: Meaning("line not signed on", "线路未签到"),
    Code.TOO_LATE: Meaning("too late, not done", "处理超时,交易未受理"),
    Code.INOPERATIVE: Meaning("switch inoperative", "系统暂停服务"),
    Code.KEY_REUSED: Meaning("key used before with other content", "流水号重复且内容不同"),
    Code.TOTALS: Meaning("totals out of balance", "总额不平"),
    Code.MALFUNCTION: Meaning("system malfunction", "系统故障"),
    Code.MAC: Meaning("MAC wrong", "报文校验码错误"),
    Code.PAID: Meaning("bill already paid", "该缴费单已缴费"),
    Code.NOT_PAYABLE: Meaning("bill not payable", "该缴费单不可缴费"),
    Code.NOT_PAYER: Meaning("not the bill's payer", "缴费人与缴费单不符"),
    Code.ENROLLED: Meaning("person already enrolled or not eligible", "已参保或不符合参保条件"),
    Code.REVERSED: Meaning("reversed before it arrived", "该交易已被冲正"),
    Code.TOO_LATE_TO_REVERSE: Meaning("too late to reverse", "已过可冲正期限"),
}
