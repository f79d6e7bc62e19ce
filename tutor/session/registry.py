"""Jobs by their unguessable token, with a bound on how many records are kept in memory."""

from __future__ import annotations

import threading

from tutor.session.jobs import Job


class Registry:
    """Jobs by token, as far as their records are kept.

    Args:
        keep: Records kept per owner; older ones are given back, their texts stay in the session.
        most: Records kept in all, whoever they belong to.
    """

    def __init__(self, keep: int = 3, most: int = 64) -> None:
        self._keep, self._most = keep, most
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()

    def add(self, job: Job) -> None:
        """Make a job known, and give back the oldest finished records beyond the limits."""
        with self._lock:
            self._jobs[job.token] = job
            own = [
                item for item in self._jobs.values() if job.owner and item.owner == job.owner and item.done
            ]
            pending = sum(not item.done for item in self._jobs.values() if item.owner == job.owner)
            spare = own[: max(0, len(own) + pending - self._keep)]
            ended = [item for item in self._jobs.values() if item.done and item not in spare and item.owner]
            spare += ended[: max(0, len(self._jobs) - len(spare) - self._most)]
            for item in spare:
                del self._jobs[item.token]
        for item in spare:
            item.drop_records()

    def get(self, token: str) -> Job | None:
        """The job of that token; None if there is none or its record is gone."""
        with self._lock:
            return self._jobs.get(token)

    def forget(self, owner: str) -> None:
        """Give back everything of one owner."""
        with self._lock:
            gone = [job for job in self._jobs.values() if job.owner == owner]
            for job in gone:
                del self._jobs[job.token]
        for job in gone:
            job.stop.set()
            job.drop_records()

    def __len__(self) -> int:
        with self._lock:
            return len(self._jobs)
