"""The wire protocol: every message as a typed struct, decoding with precise errors, JSON Schema.

Clients send `commands`, the server sends `messages`; both travel as one JSON object in a text frame.
Fields marked *kept* in docs/protocol.md are read by clients built elsewhere and never change their form.
"""
