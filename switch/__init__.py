"""The daemon: lines, sessions, group commit, keys, timers, metrics."""
