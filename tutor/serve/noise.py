"""Log lines of others that report nothing wrong."""

from __future__ import annotations

import logging


class ClosedSocket(logging.Filter):
    """Drops the traceback that a browser causes by closing its page while the server is reading from it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """False for that one record, True for everything else."""
        kind = record.exc_info[0] if record.exc_info else None
        return kind is None or kind.__name__ not in ("WebSocketDisconnected", "WebSocketDisconnect")


def quieten() -> None:
    """Install the filter where the web server logs."""
    logging.getLogger("uvicorn.error").addFilter(ClosedSocket())
