"""Every error homeface raises on purpose.

::

    HomefaceError
    ├─ ConfigError                  bad configuration: exit code 2, systemd does not restart
    ├─ ModelError
    │  ├─ WeightsUnavailableError   weights are nowhere to be found; says where to put them
    │  ├─ ModelIntegrityError       a weight file whose hash is not the known one
    │  └─ BackendUnavailableError   the device or runtime asked for is not on this machine
    ├─ FacesDroppedError            more faces came than the device can embed; these were the oldest
    ├─ CameraError                  that camera only; retried
    │  └─ CameraAuthError           wrong credentials; retried at the slowest pace
    ├─ BrokerError                  retried for ever
    ├─ GalleryError
    │  ├─ ModelMismatchError        a template made by another embedding model
    │  └─ NameTakenError            somebody else bears that name
    ├─ StoreError                   the database or its disk
    │  ├─ StoreDamagedError         the file is damaged: a copy may take its place
    │  ├─ StoreKeyError             the key is missing, or another one: says what is lost without it
    │  └─ BackupError               a backup that cannot be made or used: password, damage, version
    ├─ ImageError                   a picture that cannot be used as one
    ├─ TrainingError                a training that cannot begin or go on; says what is kept
    │  ├─ DatasetError              pictures or labels that cannot be trained on
    │  └─ NonFiniteLossError        the numbers have gone astray
    ├─ RequestError                 what somebody asked for on the page cannot be done; ``key``, ``field``
    │  ├─ InvalidRequestError       something in it is wrong or too large
    │  ├─ NotLoggedInError          nobody said who asks
    │  ├─ NotAllowedError           who asks may not do that
    │  ├─ NotThereError             there is no such thing
    │  └─ BusyError                 too much at once, or too often; try again in ``retry_seconds``
    └─ EnrolmentError               a picture refused for enrolment; ``key`` is machine-readable
       ├─ NoFaceError
       ├─ SeveralFacesError
       ├─ LowQualityError
       ├─ OutlierError              not the same person as the subject's other photos
       └─ LooksLikeAnotherError

Messages are whole sentences for the person who has to act: what is wrong, where, what to do.
Errors carry attributes for programs and never log. ``Unknown`` is a value, never an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class HomefaceError(Exception):
    """Root of every expected failure. ``exit_code`` is what a command ends with."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class ConfigProblem:
    """One thing wrong in a configuration: where (file, line, key) and what was expected."""

    file: str
    line: int | None
    key: str
    message: str

    def __str__(self) -> str:
        """Render as ``file:line: key: message``, the form editors can jump to."""
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.key}: {self.message}" if self.key else f"{place}: {self.message}"


class ConfigError(HomefaceError):
    """The configuration cannot be used; ``problems`` lists everything wrong with it at once."""

    exit_code = 2

    def __init__(self, problems: Sequence[ConfigProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class ModelError(HomefaceError):
    """A model cannot be loaded or used."""


class WeightsUnavailableError(ModelError):
    """Weights are in none of the known folders and could not be downloaded."""


class ModelIntegrityError(ModelError):
    """A weight file exists but its SHA-256 is not one the manifest knows."""


class BackendUnavailableError(ModelError):
    """The requested device or runtime is not available on this machine."""


class FacesDroppedError(HomefaceError):
    """Faces that waited for an embedding gave way to newer ones. Not a fault: the track is asked again."""


class CameraError(HomefaceError):
    """One camera cannot be opened or read. The others go on."""

    def __init__(self, message: str, *, camera: str = "") -> None:
        self.camera = camera
        super().__init__(message)


class CameraAuthError(CameraError):
    """The camera refused the credentials."""


class BrokerError(HomefaceError):
    """The MQTT broker cannot be reached or refused us."""


class GalleryError(HomefaceError):
    """The gallery cannot do what was asked (no such subject, name taken, ...)."""


class ModelMismatchError(GalleryError):
    """A template was made by another embedding model than the one in use."""


class NameTakenError(GalleryError):
    """Somebody else who is enrolled bears that name."""


class StoreError(HomefaceError):
    """The database cannot be opened, read or written."""


class StoreDamagedError(StoreError):
    """The database file is damaged; it was left as it is."""


class StoreKeyError(StoreError):
    """The database cannot be opened with the key that is there, or there is none."""


class BackupError(StoreError):
    """A backup cannot be made or used; what is stored has not changed."""


class ImageError(HomefaceError):
    """A file or upload cannot be used as a picture. ``reason``: what is wrong with it, for programs."""

    def __init__(self, message: str, *, reason: str = "") -> None:
        self.reason = reason
        super().__init__(message)


class TrainingError(HomefaceError):
    """A training cannot begin or go on."""


class DatasetError(TrainingError):
    """Training data that cannot be used."""


class NonFiniteLossError(TrainingError):
    """A loss or a gradient is no finite number any more."""


class RequestError(HomefaceError):
    """A request cannot be done. ``key`` is for programs, ``field`` the part of it that is wrong, if any."""

    default_key = "request"

    def __init__(self, message: str, *, key: str = "", field: str | None = None) -> None:
        self.key = key or self.default_key
        self.field = field
        super().__init__(message)


class InvalidRequestError(RequestError):
    """Something in the request is wrong, missing or too large."""

    default_key = "invalid"


class NotLoggedInError(RequestError):
    """Nobody said who asks, or what they said is no longer good."""

    default_key = "not_logged_in"


class NotAllowedError(RequestError):
    """Who asks may not do that."""

    default_key = "not_allowed"


class NotThereError(RequestError):
    """There is no such thing (any more)."""

    default_key = "not_there"


class BusyError(RequestError):
    """Too much at once, or too often."""

    default_key = "busy"

    def __init__(self, message: str, *, key: str = "", retry_seconds: float = 1.0) -> None:
        self.retry_seconds = retry_seconds
        super().__init__(message, key=key)


class EnrolmentError(HomefaceError):
    """A picture was refused for enrolment; nothing already stored has changed."""

    key = "enrolment"


class NoFaceError(EnrolmentError):
    """No face was found in the picture."""

    key = "no_face"


class SeveralFacesError(EnrolmentError):
    """More than one face was found in the picture."""

    key = "several_faces"


class LowQualityError(EnrolmentError):
    """The face is too small, blurred, dark, bright or turned away; ``reasons`` are their keys."""

    key = "low_quality"

    def __init__(self, message: str, *, reasons: Sequence[str] = ()) -> None:
        self.reasons = tuple(str(reason) for reason in reasons)
        super().__init__(message)


class OutlierError(EnrolmentError):
    """The face is unlike the subject's other photos."""

    key = "outlier"


class LooksLikeAnotherError(EnrolmentError):
    """The face looks like a subject who is already enrolled under another name."""

    key = "looks_like_another"

    def __init__(self, message: str, *, other: str = "") -> None:
        self.other = other
        super().__init__(message)
