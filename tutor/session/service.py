"""What all students of one process share: models, the line, and the jobs that routes may show."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from tutor.config import AppConfig, CaptureConfig
from tutor.content.loader import LANGS
from tutor.session import recording
from tutor.session.facts import model_facts
from tutor.session.jobs import Job
from tutor.session.queue import ReplyQueue
from tutor.session.registry import Registry
from tutor.session.shelf import Loading, ModelShelf
from tutor.session.store import SessionStore

_log = logging.getLogger(__name__)

_HOSTED_BUDGET = 64 * 2**20  # bytes of record per draft where many share one machine


class Service:
    """Owns the models, the queue and the registry.

    Args:
        config: What the surroundings decide.
        load: Makes a tutor of a model's spec; tests pass their own.
        write: Lets a tutor answer a job; tests pass their own.
    """

    def __init__(
        self,
        config: AppConfig,
        load: Callable[[str], Any] | None = None,
        write: Callable[[Job, Any, CaptureConfig], None] | None = None,
    ) -> None:
        self.config = config
        self.capture = CaptureConfig(budget_bytes=_HOSTED_BUDGET) if config.hosted else CaptureConfig()
        self.shelf: ModelShelf[Any] = ModelShelf(load or self._load, pinned=config.model)
        self.queue = ReplyQueue(self._answer, config.max_queue)
        self.registry = Registry()
        self.sessions: SessionStore[Any] = SessionStore(self.registry.forget)
        self.recordings = self._open_recordings()
        self._write = write

    def start(self) -> None:
        """Begin to load the first model, so that it is there when a student comes."""
        self.shelf.ask(self.config.model)

    def model(self, spec: str, retry: bool = False) -> Loading[Any]:
        """Where a model stands: on its way, there, or failed."""
        return self.shelf.ask(spec, retry)

    def facts(self, spec: str) -> dict[str, object] | None:
        """What the page says about a model; None until it is loaded."""
        tutor = self.shelf.peek(spec)
        return None if tutor is None else model_facts(tutor.loaded)

    def submit(self, job: Job) -> None:
        """Take a job into the line and make it known to the routes.

        Raises:
            QueueFull: Too many wait already.
        """
        self.queue.submit(job)
        self.registry.add(job)

    def cancel(self, job: Job) -> None:
        """Stop a job; what it has written stays."""
        self.queue.cancel(job)

    def close(self) -> None:
        """End the worker. For tests and shutdown."""
        self.queue.close()

    def _open_recordings(self) -> dict[str, Job]:
        """The recorded replies of the shipped model by language; none if another model is shown."""
        found: dict[str, Job] = {}
        for lang in LANGS:
            path = recording.FOLDER / f"{lang}.npz"
            try:
                found[lang] = recording.as_job(recording.load(path))
            except FileNotFoundError:
                continue
            except (OSError, ValueError, KeyError, TypeError):
                _log.exception("%s is no recording; the first screen goes without it", path.name)
                continue
            self.registry.add(found[lang])
        return found

    def _load(self, spec: str) -> Any:
        from tutor.session.writer import load_tutor  # imports torch: only in the loader's thread

        return load_tutor(spec, self.config.cpu_threads)

    def _answer(self, job: Job) -> None:
        if self.shelf.peek(job.model) is None:
            job.notify("notice_loading")
        try:
            tutor = self.shelf.get(job.model, job.stop)
        finally:
            job.dismiss("notice_loading")
        if tutor is None or job.stop.is_set():
            job.finish("stopped")
            return
        if self._write is not None:
            self._write(job, tutor, self.capture)
            return
        from tutor.session.writer import write_reply

        write_reply(job, tutor, self.capture)


_service: Service | None = None
_lock = threading.Lock()


def get_service() -> Service:
    """The process's one service, made at the first call from the environment."""
    global _service
    with _lock:
        if _service is None:
            _service = Service(AppConfig.from_env())
            _service.start()
        return _service


def install(service: Service | None) -> None:
    """Put another service in place; for tests. None makes a fresh one at the next call."""
    global _service
    with _lock:
        old, _service = _service, service
    if old is not None:
        old.close()
