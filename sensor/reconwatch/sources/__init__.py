"""Bytes to events: one file a dialect, told apart by content."""
