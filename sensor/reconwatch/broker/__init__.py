"""Zeek's WebSocket API v1: typed values, frames, and a connection. What is said over it is the business of others."""
