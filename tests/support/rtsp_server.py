"""A small RTSP server on GStreamer, run by the system's Python: ``python3 rtsp_server.py '{json}'``.

The JSON: ``port``; ``auth`` none|basic|digest with ``user`` and ``password``; ``mounts``: path →
``{"file": mp4 or null, "codec": "h264"|"h265", "loop": bool, "fps": int, "size": [w, h]}``; ``together``: the
files of all mounts run on one clock that starts with the first client. Without a file a test picture is
encoded live.

Prints ``ready`` when it listens, then ``playing PATH SECONDS`` for each start of a medium: the epoch at
which the first frame of the file was (or would have been) sent. Media are shared: every client of a
mount sees the same moment.
"""

from __future__ import annotations

import bisect
import json
import sys
import time
from typing import Any

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gio, GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402


def say(*words: object) -> None:
    """One line to whoever started this."""
    print(*words, flush=True)


def payload(codec: str) -> str:
    """Whole pictures into RTP.

    The parser inserts the parameter sets: the payloader would do so before every slice of a key frame,
    and receivers would take the second slice for another picture.
    """
    return (
        f"{codec}parse config-interval=-1 ! video/x-{codec},stream-format=byte-stream,alignment=au "
        f"! rtp{codec}pay name=pay0 pt=96 config-interval=0"
    )


def live_pipeline(mount: dict[str, Any]) -> str:
    """A moving test picture, encoded on the spot."""
    codec = mount.get("codec") or "h264"
    width, height = mount.get("size") or (320, 240)
    fps = mount.get("fps") or 15
    return (
        f"( videotestsrc is-live=true pattern=ball "
        f"! video/x-raw,width={width},height={height},framerate={fps}/1,format=I420 "
        f"! x{codec[1:]}enc tune=zerolatency speed-preset=ultrafast key-int-max={fps} ! {payload(codec)} )"
    )


class Recording:
    """The access units of a file, in memory: what to send, when, and where one may begin."""

    def __init__(self, path: str, codec: str) -> None:
        pipeline = Gst.parse_launch(
            f'filesrc location="{path}" ! qtdemux ! {codec}parse '
            f"! video/x-{codec},stream-format=byte-stream,alignment=au ! appsink name=out sync=false"
        )
        sink = pipeline.get_by_name("out")
        pipeline.set_state(Gst.State.PLAYING)
        self.units: list[tuple[bytes, int, int]] = []
        self.keys: list[int] = []
        self.caps: str = ""
        end = 0
        while (sample := sink.emit("pull-sample")) is not None:
            buffer = sample.get_buffer()
            self.caps = self.caps or sample.get_caps().to_string()
            if not buffer.has_flags(Gst.BufferFlags.DELTA_UNIT):
                self.keys.append(len(self.units))
            self.units.append((buffer.extract_dup(0, buffer.get_size()), buffer.pts, buffer.dts))
            duration = buffer.duration if buffer.duration != Gst.CLOCK_TIME_NONE else Gst.SECOND // 25
            end = max(end, buffer.pts + duration)
        pipeline.set_state(Gst.State.NULL)
        if not self.units:
            raise SystemExit(f"{path} holds no {codec} video")
        self.first = self.units[0][1]
        self.length = end - self.first

    def begin_at(self, elapsed: int) -> int:
        """Index of the first key frame at or after ``elapsed`` ns (the last one when there is none)."""
        times = [self.units[key][1] - self.first for key in self.keys]
        return self.keys[min(bisect.bisect_left(times, elapsed), len(self.keys) - 1)]


class Player:
    """Feeds one medium from a recording, once or for ever."""

    def __init__(self, recording: Recording, loop: bool, elapsed: int, appsrc: Any) -> None:
        self.recording, self.loop = recording, loop
        self.elapsed = elapsed
        self.round, within = divmod(elapsed, recording.length) if loop else (0, elapsed)
        self.index = recording.begin_at(within)
        appsrc.set_property("caps", Gst.Caps.from_string(recording.caps))
        appsrc.connect("need-data", self.feed)

    def feed(self, appsrc: Any, _length: int) -> None:
        """Push the next access unit."""
        recording = self.recording
        if self.index == len(recording.units):
            if not self.loop:
                appsrc.emit("end-of-stream")
                return
            self.index, self.round = 0, self.round + 1
        data, pts, dts = recording.units[self.index]
        shift = self.round * recording.length - recording.first - self.elapsed
        buffer = Gst.Buffer.new_wrapped(data)
        buffer.pts = max(0, pts + shift)
        if dts != Gst.CLOCK_TIME_NONE:
            buffer.dts = max(0, dts + shift)
        self.index += 1
        appsrc.emit("push-buffer", buffer)


class Factory(GstRtspServer.RTSPMediaFactory):
    """One mount: a shared medium, started by its first client, made anew after its last has gone."""

    shared_start: float | None = None

    def __init__(self, path: str, mount: dict[str, Any], together: bool) -> None:
        super().__init__()
        self.path, self.mount, self.together = path, mount, together
        self.recording: Recording | None = None
        self.player: Player | None = None
        if mount.get("file"):
            codec = mount.get("codec") or "h264"
            self.recording = Recording(mount["file"], codec)
            self.set_launch(f"( appsrc name=src format=time is-live=false ! {payload(codec)} )")
        else:
            self.set_launch(live_pipeline(mount))
        self.set_shared(True)
        self.set_latency(0)
        self.connect("media-configure", self.on_media)

    def on_media(self, _factory: object, media: Any) -> None:
        """Feed and watch one medium from its start."""
        if self.recording is not None:
            elapsed = 0
            if self.together and Factory.shared_start is not None:
                elapsed = int((time.time() - Factory.shared_start) * Gst.SECOND)
            source = media.get_element().get_by_name_recurse_up("src")
            self.player = Player(self.recording, bool(self.mount.get("loop")), elapsed, source)
        media.connect("new-state", self.on_state)

    def on_state(self, media: Any, state: int) -> None:
        """Tell when the pictures begin to run."""
        if state == int(Gst.State.PLAYING) and not self.tell_start(media):
            GLib.timeout_add(2, lambda: not self.tell_start(media))

    def tell_start(self, media: Any) -> bool:
        """Say when the file began; False until the pipeline plays: it has no base time before."""
        element = media.get_element()
        _, current, _ = element.get_state(0)
        clock = element.get_clock()
        if current != Gst.State.PLAYING or clock is None or element.get_base_time() == 0:
            return media.get_status() not in (
                GstRtspServer.RTSPMediaStatus.PREPARED,
                GstRtspServer.RTSPMediaStatus.PREPARING,
            )
        position = clock.get_time() - element.get_base_time()
        position += self.player.elapsed if self.player is not None else 0
        start = time.time() - position / Gst.SECOND
        if Factory.shared_start is None:
            Factory.shared_start = start
        say("playing", self.path, f"{start:.3f}")
        return True


def protect(server: Any, factories: list[Factory], settings: dict[str, Any]) -> None:
    """Ask for a user name and a password."""
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "user")
    if settings["auth"] == "digest":
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest(settings["user"], settings["password"], token)
    else:
        basic = GstRtspServer.RTSPAuth.make_basic(settings["user"], settings["password"])
        auth.add_basic(basic, token)
    server.set_auth(auth)
    admit("user", factories)


def encrypt(server: Any, factories: list[Factory], certificate: str) -> None:
    """Speak TLS with a certificate and its key (one PEM file); nobody has to log in."""
    auth = GstRtspServer.RTSPAuth()
    auth.set_tls_certificate(Gio.TlsCertificate.new_from_file(certificate))
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "anybody")
    auth.set_default_token(token)
    server.set_auth(auth)
    admit("anybody", factories)


def admit(role: str, factories: list[Factory]) -> None:
    """Who has this role may see the streams."""
    for factory in factories:
        permissions = GstRtspServer.RTSPPermissions()
        for right in ("access", "construct"):
            permissions.add_permission_for_role(role, f"media.factory.{right}", True)
        factory.set_permissions(permissions)


def main() -> None:
    """Serve until killed."""
    settings = json.loads(sys.argv[1])
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(str(settings["port"]))
    if len(settings["mounts"]) > 1:
        # in one thread, clients of two mounts that connect at once leave a medium unprepared for ever; in
        # several, one that comes back at once to the same mount may be refused once
        server.get_thread_pool().set_max_threads(-1)
    factories = []
    for path, mount in settings["mounts"].items():
        factory = Factory(path, mount, bool(settings.get("together")))
        server.get_mount_points().add_factory(path, factory)
        factories.append(factory)
    if settings.get("auth", "none") != "none":
        protect(server, factories, settings)
    if settings.get("certificate"):
        encrypt(server, factories, settings["certificate"])
    if server.attach(None) == 0:
        raise SystemExit(f"port {settings['port']} cannot be bound")
    say("ready")
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
