"""FFmpeg's errors as sentences that say what to do, without credentials."""

from __future__ import annotations

from homeface.adapters.camera.settings import CameraSettings
from homeface.adapters.camera.url import redact
from homeface.errors import CameraAuthError, CameraError


def camera_error(settings: CameraSettings, error: Exception, timeout_seconds: float) -> CameraError:
    """Our error for FFmpeg's. Raise it outside the handler: ``error`` itself holds the full URL."""
    import av

    name, address = settings.name, settings.address
    match error:
        case av.error.HTTPUnauthorizedError() | av.error.HTTPForbiddenError():
            return CameraAuthError(
                f"camera {name} refuses the credentials: check its username and password ({address})",
                camera=name,
            )
        case av.error.ExitError() | av.error.TimeoutError():
            text = f"camera {name} sent nothing for {timeout_seconds:g} s: is it switched on and reachable? ({address})"
        case av.error.ConnectionRefusedError():
            text = f"camera {name} refuses connections: is the address right, and its stream switched on? ({address})"
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
