"""The HTTP service and its page: an ASGI application over one Sync."""
