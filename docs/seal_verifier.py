"""An auditor's own verifier of sealed books in an SQLite file (see seal.md). It uses nothing of the switch.

    python3 seal_verifier.py BOOKS.db [SEAL_FOLDER [PUBLIC_KEY]]

Prints the rows that do not fit, exit status 1; 0 if all do. Signatures are checked where the Python package
`cryptography` is installed. PUBLIC_KEY: your own copy of public.key, else the folder's is believed.
"""

import hashlib
import sqlite3
import sys
from collections import Counter
from pathlib import Path

EVENT = """book_id, seq, date, at_us, kind, key_class, trace, mti, proc, amount, bill, original_text, stan, rrn, code,
    origin_seq, bill_move, operator, reason, reply"""
PAYMENT = "date, kind, receipt, trace, moment, stan, rrn, terminal, branch, channel, bill, amount"
TRANSFER = "line, date, debit, credit, amount"
RULING = """proposal_id, exception_id, action, bill, maker, maker_reason, maker_from, made_us, checker_from, reference,
    received_on"""
OWN = "WHERE book_id = ? AND seq = ?"
STRAY = "SELECT book_id, seq FROM {} EXCEPT SELECT book_id, seq FROM event"


def record(letter, row):
    texts = ["" if value is None else value.hex() if isinstance(value, bytes) else str(value) for value in row]
    return "\x1f".join([letter, *(text.translate({30: "?", 31: "?"}) for text in texts)]) + "\x1e"


def check_tables(db, faults):
    seals, ways = {}, {}  # (book, number) -> seal; bill -> its moves, in any order
    for book, next_seq, head in db.execute("SELECT book_id, next_seq, seal FROM book ORDER BY book_id"):
        number, seal = 0, bytes(32)
        for *event, stored in db.execute(f"SELECT {EVENT}, seal FROM event WHERE book_id = ? ORDER BY seq", (book,)):
            key, text = event[:2], record("E", event)
            text += "".join(record("P", row) for row in db.execute(f"SELECT {PAYMENT} FROM payment {OWN}", key))
            moved = db.execute(f"SELECT {TRANSFER} FROM transfer {OWN} ORDER BY line", key)
            text += "".join(record("T", row) for row in moved)
            decided = db.execute(f"SELECT {RULING} FROM ruling {OWN}", key).fetchall()
            text += "".join(record("D", row) for row in decided)
            shares = db.execute(f"SELECT date, side, fen FROM share {OWN} ORDER BY date, side", key)
            text += "".join(record("S", row) for row in shares)
            if event[1] != number + 1:
                faults.append(f"event {book}/{event[1]}: {number + 1} is not there")
            if hashlib.sha256(seal + text.encode()).digest() != stored:
                faults.append(f"event {book}/{event[1]}: its seal is not that of its rows")
            number, seal = event[1], stored
            seals[book, number] = seal
            if event[16]:
                bill = (decided and decided[0][3]) or event[10]
                ways.setdefault(bill[:19], []).append(event[16].split(">"))
        if (next_seq, head) != (number + 1, seal):
            faults.append(f"book {book}: its head is not that of its last event, {number}")
    for table in ("payment", "transfer", "ruling", "share"):
        faults += [f"{table} {book}/{seq}: belongs to no event" for book, seq in db.execute(STRAY.format(table))]
    for number, status in db.execute("SELECT number, status FROM bill ORDER BY number"):
        way = ways.pop(f"{number:019d}", [])
        ends = Counter(["OUTSTANDING"] + [after for _, after in way]) - Counter(before for before, _ in way)
        if set(ends) != {status} and not (status == "EXPIRED" and set(ends) == {"OUTSTANDING"}):
            faults.append(f"bill {number}: is {status}, which is not where its sealed moves lead: {way}")
    faults += [f"bill {number}: is not there, but was moved" for number in ways]
    return seals


def brought_back(name, logs):
    """Book -> events, of an old log: what it signed beyond was lost by one of the restores after it."""
    limits, after = {}, {}
    for log, data in logs:
        kind, *fields = data.split(b"\n")[0].decode(errors="replace").split(" ")
        if kind == "shebao-restore-1" and len(fields) == 6:
            after[fields[3]] = log.name, [one.split(":") for one in fields[2].split(",")]
    for _ in after:
        name, books = after.get(name, (name, []))
        for book, events in books:
            limits[int(book)] = min(int(events), limits.get(int(book), int(events)))
    return limits


def check_anchors(logs, key, seals, faults):
    ends = {log.name: data.rstrip(b"\n").rpartition(b" ")[2].decode(errors="replace") for log, data in logs}
    for log, data in logs:
        limits = brought_back(log.name, logs)
        for number, line in enumerate(data.split(b"\n")[:-1], 1):
            signed, _, signature = line.rpartition(b" ")
            try:
                if key is not None:
                    key.verify(bytes.fromhex(signature.decode()), signed)
                if number == 1 and signed.startswith(b"shebao-restore-1 "):
                    old, last = signed.decode().split(" ")[-2:]
                    if old != "-" and (old not in ends or last not in (ends[old], "-")):
                        faults.append(f"anchor {log}:1: goes on from {old}, which is not there, or ends otherwise")
                    continue
                _, _, _, book, events, head, _ = signed.decode().split(" ")
                if int(events) > limits.get(int(book), int(events)):
                    continue  # of the time that a restore lost
                if seals.get((int(book), int(events)), b"").hex() != head:
                    faults.append(f"anchor {log}:{number}: event {book}/{events} is not there, or not as signed")
            except Exception as error:  # it is no anchor, or not signed with this key
                faults.append(f"anchor {log}:{number}: {error!r}")


def main(file, folder=None, public_key=None):
    faults, logs, key = [], [], None
    if folder is not None:  # before the tables are read: what was signed until now is in them
        logs = [(log, log.read_bytes()) for log in sorted(Path(folder).glob("*.log*")) if log.suffix != ".next"]
    with sqlite3.connect(f"{Path(file).absolute().as_uri()}?mode=ro", uri=True) as db:
        db.execute("BEGIN")  # all of one moment
        seals = check_tables(db, faults)
    db.close()
    if folder is not None:
        try:
            from cryptography.hazmat.primitives.serialization import load_pem_public_key
        except ImportError:
            print("signatures not checked: the package cryptography is not installed", file=sys.stderr)
        else:
            key = load_pem_public_key(Path(public_key or Path(folder, "public.key")).read_bytes())
        check_anchors(logs, key, seals, faults)
    print("\n".join(faults) or f"{len(seals)} events fit")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
