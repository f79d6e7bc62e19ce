"""The errors a student may see, and nothing else.

    TutorError
    ├── ModelError           a checkpoint cannot be used
    │   ├── ModelNotFound    no such folder, or the Hub cannot be reached
    │   ├── NotGPT2          the checkpoint is some other architecture
    │   └── BrokenCheckpoint files are missing, truncated or of the wrong shape
    ├── OutOfMemory          the device has no room for the model or the reply
    ├── SamplingError        a sampling setting is outside its range
    ├── QuestionError        the question cannot be used (empty, too long)
    ├── ContentError         a file under prompts/ is malformed
    └── QueueFull            too many replies are waiting

Each error carries a message key and values; `prompts/ui.toml` holds one sentence per
key and language that says what was asked, what is allowed and what to do. `str(error)` is
the English developer's sentence for logs and the command line.
"""

from __future__ import annotations


class TutorError(Exception):
    """Base of all errors that are shown to a person.

    Args:
        key: Message key in the interface texts, e.g. "model_not_found".
        detail: English sentence for the log: what was asked, what is allowed, what to do.
        values: Named values that the translated sentence may use.
    """

    default_key = "unknown_error"

    def __init__(self, detail: str, *, key: str | None = None, **values: object) -> None:
        super().__init__(detail)
        self.key = key or self.default_key
        self.values = values


class ModelError(TutorError):
    """A checkpoint cannot be used."""

    default_key = "model_error"


class ModelNotFound(ModelError):
    """No such folder, or no such Hub id, or the Hub cannot be reached."""

    default_key = "model_not_found"


class NotGPT2(ModelError):
    """The checkpoint is of another architecture than GPT-2."""

    default_key = "not_gpt2"


class BrokenCheckpoint(ModelError):
    """Files of the checkpoint are missing, truncated or of the wrong shape."""

    default_key = "broken_checkpoint"


class OutOfMemory(TutorError):
    """The device has no room for the model or for this reply."""

    default_key = "out_of_memory"


class SamplingError(TutorError):
    """A sampling setting is outside its range."""

    default_key = "sampling_error"


class QuestionError(TutorError):
    """The question cannot be used as it is."""

    default_key = "question_error"


class ContentError(TutorError):
    """A file under prompts/ is malformed."""

    default_key = "content_error"


class QueueFull(TutorError):
    """Too many replies are waiting already."""

    default_key = "queue_full"
