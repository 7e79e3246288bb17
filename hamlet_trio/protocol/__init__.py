"""The wire protocol: every message as a typed struct, and a decoder with precise errors.

Clients send `commands`, the server sends `messages`; both travel as one JSON object in a text frame.
Fields marked *kept* in docs/protocol.md are read by clients built elsewhere and never change their form.
"""
