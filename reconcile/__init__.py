"""The end of the day: statement files, matching, exceptions, reports."""
