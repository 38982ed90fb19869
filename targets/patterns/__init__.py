"""Stability patterns as pure objects: no sockets, no event loop, and a clock that the caller may give."""
