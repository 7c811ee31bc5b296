"""`switch.toml`: text to checked values (operations.md, Configuration). Reads no file and opens nothing."""

from __future__ import annotations

from .section import Section, SettingsError, read_toml

__all__ = ["Section", "SettingsError", "read_toml"]
