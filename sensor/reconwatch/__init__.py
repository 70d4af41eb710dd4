"""Notices hosts that look an organisation up in open technical databases (ATT&CK T1596), and what follows."""

__version__ = "0.1.0"
