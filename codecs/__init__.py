"""Bytes to messages and statement lines, and back. Pure: no I/O, no clock, no database."""
