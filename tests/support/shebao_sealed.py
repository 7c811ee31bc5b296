"""Books with one of every kind of event, signed now and then: what proofs and the auditor's verifier are held to."""

from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shebao.ledger.anchor import FOLDER, Anchors
from shebao.ledger.proof import Proof
from shebao.ledger.verify import verify

SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


class Sealed:
    """The books of `Till` after a day and a bit, with their seal folder."""

    def __init__(self, till: Any, folder: Path) -> None:
        self.till, self.folder = till, folder / FOLDER
        self.anchors = Anchors(till.store.reading, self.folder, SIGNER, lambda: till.now_us)
        self.bills = till.add_bills(12)
        self._live_through_it()

    def _live_through_it(self) -> None:
        ask, bills = self._ask, self.bills
        pay = [self.till.request("payment", bill) for bill in bills]
        in_suspense, given_back = (self.till.request("advice", bills[4], mti="0220", amount=n) for n in (5, 6))
        voided, void, late = pay[2], self.till.undo("void", pay[2]), self.till.undo("reversal", pay[10])
        ask("00 00 00", pay[0], pay[1], voided)  # rcb 1 to 3
        ask("00", self.till.request("advice", bills[3], mti="0220"))  # 4
        ask("00 00", in_suspense, given_back)  # 5, 6
        self.anchors.sign()
        ask("00 00 00", self.till.undo("reversal", pay[1]), self.till.undo("reversal", given_back), void)  # 7 to 9
        ask("00", self.till.undo("reversal", void))  # 10: the payment stands again
        ask("25 R1", late, pay[10])  # 11, 12
        again = self.till.undo("void", pay[5])
        ask("00 00", pay[5], again)  # 13, 14
        ask("00 00", *(self.till.request("payment", bill, bank="icbc") for bill in (bills[1], bills[5])))
        ask("00", self.till.undo("reversal", again))  # 15: its bill is another's now, so to suspense
        ask("B1", self.till.request("payment", bills[0]))  # 16
        ask("00", self.till.undo("reversal", pay[1]))  # 17: undone already, no effect
        self.anchors.sign()
        ask("00", self.till.act("cutover", date=20261124))  # 18
        with self.till.store.writing() as connection:
            connection.exec_driver_sql("UPDATE day SET state = 'RECONCILED' WHERE book_id = 100 AND date = 20261123")
        self.till.now_us += 12 * 3_600_000_000
        ask("R2", self.till.undo("reversal", pay[0]))  # 19: too late
        ask("00 00", *(self.till.request("payment", bill) for bill in bills[6:8]))  # 20, 21
        ask("00", self.till.act("withdraw", bill=bills[8]))
        self.anchors.sign()
        ask("00", self.till.request("payment", bills[9]))  # 22: not signed yet

    def _ask(self, codes: str, *requests: Any) -> None:
        answers = self.till.ask(*requests)
        assert [answer.code for answer in answers] == codes.split(), [answer.fault for answer in answers]

    def log(self, bank: str = "rcb") -> Path:
        return self.folder / f"{bank}.log"

    def verify(self) -> list[Proof]:
        return verify(self.till.store.reading, self.folder, self.till.now_us, SIGNER.public_key())

    def faults(self) -> dict[str, list[str]]:
        """Proof -> what speaks against it."""
        return {proof.name: [str(one) for one in proof.findings] for proof in self.verify() if proof.faults}
