"""The query behind every figure of a report, by name: plain SQL that runs on SQLite and on PostgreSQL as it stands.

docs/figures.md shows the same text to whoever wants a figure again. Parameters: `:book`, the book's number;
`:since` and `:until`, the period's first and last settlement date, YYYYMMDD; `:first` and `:last`, the events of the
period, (first, last], which `span` finds. What the numbers mean together is `figures`' business.
"""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, text


class Query(NamedTuple):
    tells: str  # one line: which figures come from it
    sql: str


def rows(conn: Connection, name: str, **values: int) -> list[Row[Any]]:
    """All rows of a query; values that it does not ask for are left out."""
    sql = QUERIES[name].sql
    wanted = {key: values[key] for key in re.findall(r":(\w+)", sql)}
    return list(conn.execute(text(sql), wanted))


QUERIES: Final[dict[str, Query]] = {
    "span": Query(
        "The events of a period: (first, last]. A date's events are numbered without a gap.",
        """
SELECT COALESCE((SELECT MAX(last_seq) FROM day WHERE book_id = :book AND date < :since), 0) AS first,
       CASE WHEN EXISTS (SELECT 1 FROM day
                         WHERE book_id = :book AND date BETWEEN :since AND :until AND state = 'OPEN')
            THEN (SELECT MAX(seq) FROM event WHERE book_id = :book)
            ELSE (SELECT MAX(last_seq) FROM day WHERE book_id = :book AND date BETWEEN :since AND :until)
       END AS last,
       (SELECT MAX(seq) FROM event WHERE book_id = :book) AS seen
""",
    ),
    "cube": Query(
        "Payments, reversals, corrections and net, by whatever: every such table is these rows added up.",
        """
WITH leg AS (
  SELECT book_id, seq, credit AS account, amount AS fen, CASE WHEN line = 1 THEN 1 ELSE 0 END AS act
  FROM transfer
  WHERE book_id = :book AND seq > :first AND seq <= :last AND (credit LIKE 'fund:%' OR credit LIKE 'suspense:%')
  UNION ALL
  SELECT book_id, seq, debit, -amount,
         CASE WHEN line = 1 AND credit NOT LIKE 'fund:%' AND credit NOT LIKE 'suspense:%' THEN 1 ELSE 0 END
  FROM transfer
  WHERE book_id = :book AND seq > :first AND seq <= :last AND (debit LIKE 'fund:%' OR debit LIKE 'suspense:%')
), told AS (
  SELECT leg.account, leg.fen, leg.act, e.date, e.kind,
         COALESCE(p.channel, p1.channel, p2.channel, p3.channel, '') AS channel,
         COALESCE(p.branch, p1.branch, p2.branch, p3.branch, '') AS branch,
         COALESCE(NULLIF(r.bill, ''), NULLIF(p.on_bill, ''), p.bill, NULLIF(p1.on_bill, ''), p1.bill,
                  NULLIF(p2.on_bill, ''), p2.bill, NULLIF(p3.on_bill, ''), p3.bill, e.bill) AS bill
  FROM leg
  JOIN event e ON e.book_id = leg.book_id AND e.seq = leg.seq
  LEFT JOIN ruling r ON r.book_id = e.book_id AND r.seq = e.seq
  LEFT JOIN payment p ON p.book_id = e.book_id AND p.seq = e.seq
  LEFT JOIN payment p1 ON p1.book_id = e.book_id AND p1.seq = e.origin_seq
  LEFT JOIN event o ON o.book_id = e.book_id AND o.seq = e.origin_seq
  LEFT JOIN payment p2 ON p2.book_id = o.book_id AND p2.seq = o.origin_seq
  LEFT JOIN event oo ON oo.book_id = o.book_id AND oo.seq = o.origin_seq
  LEFT JOIN payment p3 ON p3.book_id = oo.book_id AND p3.seq = oo.origin_seq
)
SELECT told.date, told.kind,
       CASE WHEN account LIKE 'fund:%' THEN SUBSTR(account, 6) ELSE 'suspense' END AS type,
       channel, branch,
       CASE WHEN account LIKE 'fund:%' THEN COALESCE(b.office, '') ELSE 'suspense' END AS office,
       COUNT(*) AS parts, SUM(act) AS acts, CAST(SUM(fen) AS BIGINT) AS fen
FROM told
LEFT JOIN bill b
  ON b.division = CASE WHEN account LIKE 'fund:%' AND bill <> '' THEN CAST(SUBSTR(bill, 1, 6) AS INTEGER) END
 AND b.number = CASE WHEN account LIKE 'fund:%' AND bill <> '' THEN CAST(SUBSTR(bill, 1, 19) AS BIGINT) END
GROUP BY 1, 2, 3, 4, 5, 6
""",
    ),
    "minutes": Query(
        "Payments and fen by the minute of their transaction time: the chart, and the peak minute.",
        """
SELECT moment / 100 AS minute, COUNT(*) AS payments, CAST(SUM(amount) AS BIGINT) AS fen
FROM payment
WHERE book_id = :book AND seq > :first AND seq <= :last AND kind IN ('payment', 'advice')
GROUP BY moment / 100
""",
    ),
    "days": Query(
        "Each date: its state, the totals of its detail file, what was corrected on it. Comparisons add these up.",
        """
SELECT d.date, d.state, d.closed_us, d.credits, d.credits_fen, d.reversals, d.reversals_fen,
       COALESCE(c.acts, 0) AS corrections, COALESCE(c.fen, 0) AS corrections_fen
FROM day d
LEFT JOIN (
  SELECT t.date, COUNT(DISTINCT t.seq) AS acts,
         CAST(SUM(CASE WHEN t.credit LIKE 'fund:%' OR t.credit LIKE 'suspense:%' THEN t.amount ELSE 0 END
                - CASE WHEN t.debit LIKE 'fund:%' OR t.debit LIKE 'suspense:%' THEN t.amount ELSE 0 END)
              AS BIGINT) AS fen
  FROM ruling r JOIN transfer t ON t.book_id = r.book_id AND t.seq = r.seq
  WHERE r.book_id = :book AND (t.credit LIKE 'fund:%' OR t.credit LIKE 'suspense:%'
                               OR t.debit LIKE 'fund:%' OR t.debit LIKE 'suspense:%')
  GROUP BY t.date
) c ON c.date = d.date
WHERE d.book_id = :book AND d.date BETWEEN :since AND :until
ORDER BY d.date
""",
    ),
    "exceptions": Query(
        "Exceptions by date, class and state, with the date of their decision: new, solved, open, carried, oldest.",
        """
SELECT date, item_class, state, decided_date, COUNT(*) AS number, MIN(id) AS id, MIN(opened_us) AS opened_us,
       CAST(SUM(amount) AS BIGINT) AS fen
FROM exception
WHERE book_id = :book AND date <= :until AND item_class <> 'OTHER_DATE'
GROUP BY date, item_class, state, decided_date
ORDER BY date, item_class, state, decided_date
""",
    ),
    "decisions": Query(
        "What two people decided in the period, or whenever about an exception of it: what it booked, who, why.",
        """
SELECT e.date, r.exception_id, r.proposal_id, r.action,
       CASE WHEN x.item_class = 'AMOUNT_DIFFERS' AND x.gap_fen <> 0 AND r.action IN ('accept', 'reverse')
            THEN ABS(x.gap_fen) ELSE e.amount END AS amount,
       COALESCE(b.funds, 0) AS funds, COALESCE(b.suspense, 0) AS suspense,
       r.maker, e.operator AS checker, e.at_us, r.maker_reason, e.reason AS checker_reason
FROM ruling r JOIN event e ON e.book_id = r.book_id AND e.seq = r.seq
LEFT JOIN exception x ON x.book_id = r.book_id AND x.id = r.exception_id
LEFT JOIN (
  SELECT t.seq,
         CAST(SUM(CASE WHEN t.credit LIKE 'fund:%' THEN t.amount ELSE 0 END
                - CASE WHEN t.debit LIKE 'fund:%' THEN t.amount ELSE 0 END) AS BIGINT) AS funds,
         CAST(SUM(CASE WHEN t.credit LIKE 'suspense:%' THEN t.amount ELSE 0 END
                - CASE WHEN t.debit LIKE 'suspense:%' THEN t.amount ELSE 0 END) AS BIGINT) AS suspense
  FROM ruling g JOIN transfer t ON t.book_id = g.book_id AND t.seq = g.seq
  WHERE g.book_id = :book
  GROUP BY t.seq
) b ON b.seq = r.seq
WHERE r.book_id = :book
  AND (r.seq > :first AND r.seq <= :last
       OR r.exception_id IN (SELECT id FROM exception WHERE book_id = :book AND date BETWEEN :since AND :until))
ORDER BY r.seq
""",
    ),
    "dues": Query(
        "Money of each date up to the period's last: due (net + moved + corrections), received, when the last came.",
        """
SELECT d.date, d.state, d.credits_fen - d.reversals_fen AS net,
       COALESCE(i.fen, 0) - COALESCE(o.fen, 0) AS moved, COALESCE(c.fen, 0) AS corrections,
       COALESCE(r.fen, 0) AS received, COALESCE(r.came, 0) AS came
FROM day d
LEFT JOIN (SELECT date, CAST(SUM(moved_fen) AS BIGINT) AS fen FROM exception
           WHERE book_id = :book AND moved_fen <> 0 GROUP BY date) i ON i.date = d.date
LEFT JOIN (SELECT ledger_date AS date, CAST(SUM(moved_fen) AS BIGINT) AS fen FROM exception
           WHERE book_id = :book AND moved_fen <> 0 GROUP BY ledger_date) o ON o.date = d.date
LEFT JOIN (SELECT date, CAST(SUM(fen) AS BIGINT) AS fen FROM share
           WHERE book_id = :book AND side = 'due' GROUP BY date) c ON c.date = d.date
LEFT JOIN (SELECT s.date, CAST(SUM(s.fen) AS BIGINT) AS fen,
                  MAX(CASE WHEN s.fen > 0 AND k.seq IS NULL THEN g.received_on END) AS came
           FROM share s
           LEFT JOIN ruling g ON g.book_id = s.book_id AND g.seq = s.seq
           LEFT JOIN (SELECT DISTINCT e.origin_seq AS seq
                      FROM ruling c JOIN event e ON e.book_id = c.book_id AND e.seq = c.seq
                      WHERE c.book_id = :book AND c.action = 'cancel') k ON k.seq = s.seq
           WHERE s.book_id = :book AND s.side = 'received' GROUP BY s.date) r ON r.date = d.date
WHERE d.book_id = :book AND d.date <= :until
ORDER BY d.date
""",
    ),
    "files": Query(
        "The bank's accepted files, but those about to be replaced: the other side of the reconciliation statement.",
        """
SELECT date, payments, payments_fen, reversals, reversals_fen, payments_fen - reversals_fen AS net, classes_json
FROM bank_file
WHERE book_id = :book AND date BETWEEN :since AND :until AND replaced_by = ''
ORDER BY date
""",
    ),
    "differences": Query(
        "Lines of the reconciliation statement: what still is between a date's due and the bank's net, by exception.",
        """
SELECT m.date, x.id, x.date AS of_date, x.item_class, x.state, x.bill, CAST(SUM(m.fen) AS BIGINT) AS fen
FROM (
  SELECT id, date, gap_fen AS fen FROM exception
  WHERE book_id = :book AND date BETWEEN :since AND :until
  UNION ALL
  SELECT id, answer_date, answer_fen FROM exception
  WHERE book_id = :book AND answer_date BETWEEN :since AND :until
  UNION ALL
  SELECT r.exception_id, s.date, -s.fen
  FROM share s JOIN ruling r ON r.book_id = s.book_id AND r.seq = s.seq
  WHERE s.book_id = :book AND s.side = 'due' AND s.date BETWEEN :since AND :until
) m
JOIN exception x ON x.book_id = :book AND x.id = m.id
GROUP BY m.date, x.id, x.date, x.item_class, x.state, x.bill
HAVING SUM(m.fen) <> 0
ORDER BY m.date, x.id
""",
    ),
    "accounts": Query(
        "Movements between two accounts, before the period and in it: opening, period and closing of each account.",
        """
SELECT debit, credit, CAST(SUM(CASE WHEN seq <= :first THEN amount ELSE 0 END) AS BIGINT) AS before,
       CAST(SUM(CASE WHEN seq > :first THEN amount ELSE 0 END) AS BIGINT) AS moved
FROM transfer
WHERE book_id = :book AND seq <= :last
GROUP BY debit, credit
ORDER BY debit, credit
""",
    ),
    "vouchers": Query(
        "Transfers of the period by date, kind of event and accounts: the vouchers.",
        """
SELECT e.date, e.kind, t.debit, t.credit, COUNT(*) AS transfers, CAST(SUM(t.amount) AS BIGINT) AS fen
FROM transfer t JOIN event e ON e.book_id = t.book_id AND e.seq = t.seq
WHERE t.book_id = :book AND t.seq > :first AND t.seq <= :last
GROUP BY e.date, e.kind, t.debit, t.credit
ORDER BY e.date, e.kind, t.debit, t.credit
""",
    ),
    "seal": Query(
        "The seal after the period's last event.",
        """
SELECT seq, date, at_us, seal FROM event WHERE book_id = :book AND seq = :last
""",
    ),
    "restores": Query(
        "When the books came back from a backup within the period, and the receipt serial that they went on with.",
        """
SELECT at_us, original_text FROM event
WHERE book_id = :book AND seq > :first AND seq <= :last AND kind = 'restored'
ORDER BY seq
""",
    ),
}
