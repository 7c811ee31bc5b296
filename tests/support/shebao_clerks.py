"""Two clerks at the settlement desk, by command; after each step all sums are checked."""

from __future__ import annotations

from typing import Any

from shebao_sums import check

from shebao.codecs.columns import StatementLine

D = 20261123
WHY = ("--reason", "核对无误")


def propose(bureau: Any, told: str, action: str, *more: str, code: int = 0, by: str = "经办甲") -> Any:
    done = bureau.type("propose", told, "--action", action, "--operator", by, *WHY, *more)
    assert done.exit_code == code, done.output
    check(bureau)
    return done


def approve(bureau: Any, told: str, code: int = 0, by: str = "复核乙") -> Any:
    done = bureau.type("approve", told, "--operator", by, *WHY)
    assert done.exit_code == code, done.output
    check(bureau)
    return done


def decide(bureau: Any, told: str, action: str, *more: str) -> None:
    propose(bureau, told, action, *more)
    approve(bureau, told)


def listed(bureau: Any) -> list[dict[str, Any]]:
    return bureau.told("exceptions")


def only(bureau: Any, **what: Any) -> dict[str, Any]:
    found = [one for one in listed(bureau) if all(one[name] == value for name, value in what.items())]
    assert len(found) == 1, listed(bureau)
    return found[0]


def run(bureau: Any, bank: str = "icbc", date: int = D) -> dict[str, Any]:
    told = bureau.told("run", "--bank", bank, "--date", str(date), code=None)
    check(bureau)
    return told


def run_day(bureau: Any, change: Any = list, date: int = D) -> dict[str, Any]:
    """Closes a date; its file comes from the bank, changed, and is run on the next date."""
    bureau.close("icbc", date)
    bureau.deliver("icbc", date, change)
    bureau.next_day()
    return run(bureau, date=date)


def strange(line: StatementLine, bill: str, **more: Any) -> StatementLine:
    return line._replace(**{"bill": bill, "stan": "999999", "rrn": "", "receipt": "", **more})


def status_of(bureau: Any, bill: str) -> str:
    return bureau.rows(f"SELECT status FROM bill WHERE number = {bill[:19]}")[0][0]
