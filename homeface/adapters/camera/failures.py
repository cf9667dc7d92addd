"""FFmpeg's errors as sentences that say what to do, without credentials."""

from __future__ import annotations

from homeface.adapters.camera.settings import CameraSettings
from homeface.adapters.redaction import redact
from homeface.errors import CameraAuthError, CameraError


def camera_error(settings: CameraSettings, error: Exception, silence: bool) -> CameraError:
    """Our error for FFmpeg's; ``silence``: it came because nothing else did, whatever it is called.

    Raise it outside the handler: ``error`` itself holds the full URL.
    """
    import av

    name, address = settings.name, settings.address
    if isinstance(error, av.error.HTTPUnauthorizedError | av.error.HTTPForbiddenError):
        return CameraAuthError(
            f"camera {name} refuses the credentials: check its username and password ({address})", camera=name
        )
    if isinstance(error, av.error.ExitError | av.error.TimeoutError) or silence:
        return silent(settings)
    match error:
        case av.error.ConnectionRefusedError():
            text = f"camera {name} refuses connections: are address and port right? ({address})"
        case av.error.HTTPNotFoundError():
            text = f"camera {name} has no such stream: check the path of its URL ({address})"
        case av.error.InvalidDataError():
            text = f"camera {name} sends something that is no video ({address})"
        case av.error.EOFError():
            text = f"camera {name} closed the connection ({address})"
        case av.FFmpegError():
            text = (
                f"camera {name} cannot be read: {redact(error.strerror or type(error).__name__)} ({address})"
            )
        case _:
            text = f"camera {name} cannot be read: {redact(str(error))} ({address})"
    return CameraError(text, camera=name)


def silent(settings: CameraSettings) -> CameraError:
    """Nothing came for as long as we wait."""
    return CameraError(
        f"camera {settings.name} sends nothing: is it switched on and reachable? ({settings.address})",
        camera=settings.name,
    )


def timed_out(waited_seconds: float, limit_seconds: float) -> bool:
    """True when the wait itself tells: FFmpeg reports some timeouts as an end or as invalid data."""
    return waited_seconds >= 0.9 * limit_seconds
