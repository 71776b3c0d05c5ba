"""The edge: a process of its own that speaks TLS with clients and plain with an engine that has no TLS.

It reads the same files as the yard, at each new client, so that it needs nobody to tell it of a move or of a new
certificate. It imports nothing of the kit: it is small, and starts fast (docs/decisions/0031-tls.md).
"""
