"""Logs that programs write as lines of text of their own: proxies, web servers, DNS servers.

`line.py` says what a format is, `formats.py` lists them, `source.py` reads a log of any of them, `stamps.py` knows
their times, `syslog.py` takes off what a log host puts in front of a line.
"""
