"""Hardware decoders that FFmpeg offers on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.codec.hwaccel import HWAccel


_BY_ITSELF = ("cuda", "vaapi", "qsv", "videotoolbox")
"""Tried in this order for ``auto``."""


def any_hardware_decoder() -> HWAccel | None:
    """The first one that opens here, or None."""
    for kind in _BY_ITSELF:
        try:
            return hardware_decoder(kind)
        except ValueError:
            continue
    return None


def hardware_decoder(wanted: str) -> HWAccel:
    """The decoder named ``type`` or ``type:device`` (``cuda:0``, ``vaapi:/dev/dri/renderD128``).

    Raises ``ValueError`` with a reason when this machine cannot do it.
    """
    import av
    from av.codec.hwaccel import HWAccel, hwdevices_available

    kind, _, device = wanted.partition(":")
    available = hwdevices_available()
    if kind not in available:
        raise ValueError(f"this build of FFmpeg knows only {', '.join(available) or 'no hardware'}")
    accelerator = HWAccel(device_type=kind, device=device or None, allow_software_fallback=True)
    try:
        accelerator.create(av.Codec("h264", "r"))  # does the device open at all? Freed at once.
    except (av.FFmpegError, NotImplementedError) as error:
        raise ValueError(f"{wanted} cannot be opened ({error})") from error
    return accelerator
