"""Suricata rules: made from the catalog and a site, run over captures, and judged by what they alert on."""
