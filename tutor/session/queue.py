"""One line for all students: first come, first served, one reply at a time."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

from tutor.errors import OutOfMemory, QueueFull, TutorError
from tutor.session.jobs import Job

_log = logging.getLogger(__name__)


class ReplyQueue:
    """Hands jobs to one worker thread in the order in which they came.

    Args:
        work: Answers one job; called in the worker's thread.
        most: Jobs that may wait; the one being answered does not count.
    """

    def __init__(self, work: Callable[[Job], None], most: int) -> None:
        self._work, self._most = work, most
        self._waiting: deque[Job] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    def submit(self, job: Job) -> None:
        """Put a job at the end of the line.

        Raises:
            QueueFull: Too many wait already.
        """
        with self._changed:
            waiting = len(self._waiting)
            if waiting >= self._most:
                raise QueueFull(f"{waiting} replies wait already; try again later.", waiting=waiting)
            self._waiting.append(job)
            self._number()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="aura-worker", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def cancel(self, job: Job) -> None:
        """Stop a job: at once if it waits, at the next token if it is being answered."""
        job.stop.set()
        with self._changed:
            if job not in self._waiting:
                return
            self._waiting.remove(job)
            self._number()
        job.finish("stopped")

    def close(self) -> None:
        """End the worker after the job it has; what waits is stopped. For tests and shutdown."""
        with self._changed:
            self._closed = True
            left = list(self._waiting)
            self._waiting.clear()
            self._changed.notify_all()
        for job in left:
            job.finish("stopped")
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=30)

    @property
    def waiting(self) -> int:
        """How many jobs wait."""
        with self._changed:
            return len(self._waiting)

    def _number(self) -> None:
        """Tell each waiting job its place; the lock is held."""
        for place, job in enumerate(self._waiting, start=1):
            job.at_place(place, len(self._waiting))

    def _run(self) -> None:
        while (job := self._next()) is not None:
            try:
                job.begin()
                self._work(job)
            except TutorError as error:
                _log.warning("A reply failed: %s", error)
                job.fail(error)
            except MemoryError:
                job.fail(OutOfMemory("The machine has no memory left for this reply."))
            except Exception:
                _log.exception("A reply failed for an unknown reason")
                job.fail(TutorError("The worker met an error that nobody foresaw; see the log."))
            finally:
                job.finish("error")  # changes nothing if the work ended it, as it should

    def _next(self) -> Job | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            if not self._waiting:
                return None
            job = self._waiting.popleft()
            self._number()
            return job
