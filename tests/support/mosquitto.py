"""A real mosquitto on loopback that a test can stop, kill, freeze and bring back on the same port."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.waiting import wait_until


def _find(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")


requires_mosquitto = pytest.mark.skipif(
    _find("mosquitto") is None, reason="needs a mosquitto broker (Debian: apt install mosquitto)"
)


@dataclass(frozen=True)
class TestCertificates:
    """PEM files: a test authority, and a server certificate for localhost and 127.0.0.1 signed by it."""

    __test__ = False

    ca: Path
    cert: Path
    key: Path


class Mosquitto:
    """Start with ``start()`` or ``with``. Nothing is kept over a restart, as with persistence off."""

    def __init__(
        self,
        folder: Path,
        *,
        users: dict[str, str] | None = None,
        certificates: TestCertificates | None = None,
        extra_config: str = "",
    ) -> None:
        self.host = "127.0.0.1"
        self.port = free_port()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        lines = [f"listener {self.port} 127.0.0.1", "persistence false", "log_type all"]
        if certificates is not None:
            lines += [
                f"cafile {certificates.ca}",
                f"certfile {certificates.cert}",
                f"keyfile {certificates.key}",
            ]
        if users is None:
            lines.append("allow_anonymous true")
        else:
            lines += ["allow_anonymous false", f"password_file {self._write_passwords(users)}"]
        if os.geteuid() == 0:
            lines.append("user root")
        (folder / "mosquitto.conf").write_text("\n".join([*lines, extra_config]) + "\n")

    def _write_passwords(self, users: dict[str, str]) -> Path:
        path = self._folder / "passwords"
        path.touch(mode=0o600)
        tool = _find("mosquitto_passwd") or "mosquitto_passwd"
        for user, password in users.items():
            subprocess.run([tool, "-b", str(path), user, password], check=True, capture_output=True)
        return path

    def start(self) -> Mosquitto:
        """Start, and return when the port answers."""
        assert self._process is None, "already running"
        with (self._folder / "mosquitto.log").open("ab") as log:
            self._process = subprocess.Popen(
                [_find("mosquitto") or "mosquitto", "-c", str(self._folder / "mosquitto.conf")],
                stdout=log,
                stderr=log,
            )
        wait_until(self._answers, timeout=10, what=f"mosquitto on {self.port}; log: {self.log()[-500:]}")
        return self

    def stop(self) -> None:
        """End it politely; does nothing when it is not running."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it with SIGKILL."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Kill and start again on the same port."""
        self.kill()
        self.start()

    def freeze(self) -> None:
        """SIGSTOP: the port still accepts, nobody answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def log(self) -> str:
        """What it has logged so far."""
        path = self._folder / "mosquitto.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        self._process.send_signal(signal.SIGCONT)
        self._process.wait(timeout=10)
        self._process = None

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"mosquitto ended: {self.log()[-500:]}"
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex((self.host, self.port)) == 0

    def __enter__(self) -> Mosquitto:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()


@dataclass(frozen=True)
class Heard:
    """One message as a subscriber got it."""

    topic: str
    payload: bytes
    retain: bool
    at: float


class Listener:
    """A subscriber in a thread of its own, which comes back by itself after a broker restart."""

    def __init__(self, broker: Mosquitto, *filters: str, credentials: tuple[str, str] | None = None) -> None:
        self.heard: list[Heard] = []
        self.connections = 0
        self._filters = filters
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self._client.on_connect = self._on_connect
        self._client.on_message = self._on_message
        self._client.on_subscribe = self._on_subscribe
        self._client.reconnect_delay_set(0.05, 0.2)
        if credentials is not None:
            self._client.username_pw_set(*credentials)
        self._client.connect(broker.host, broker.port, keepalive=5)
        self._client.loop_start()
        wait_until(lambda: self.connections == 1, what="the listener is subscribed")

    def _on_connect(self, client: paho.Client, *_: object) -> None:
        client.subscribe([(topic, 1) for topic in self._filters])

    def _on_subscribe(self, *_: object) -> None:
        self.connections += 1

    def _on_message(self, client: paho.Client, userdata: object, message: paho.MQTTMessage) -> None:
        self.heard.append(Heard(message.topic, message.payload, message.retain, time.time()))

    def on(self, topic: str) -> list[bytes]:
        """The payloads heard on one topic, oldest first."""
        return [heard.payload for heard in self.heard if heard.topic == topic]

    def last(self, topic: str) -> bytes | None:
        """The newest payload of a topic."""
        return next(iter(self.on(topic)[::-1]), None)

    def publish(self, topic: str, payload: bytes | str, *, retain: bool = False) -> None:
        """Say something, as Home Assistant or a sensor would; returns when the broker has it."""
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(5)

    def close(self) -> None:
        """Disconnect and end the thread."""
        self._client.disconnect()
        self._client.loop_stop()

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def retained(broker: Mosquitto, topic_filter: str) -> dict[str, bytes]:
    """What the broker keeps under ``topic_filter``: topic to payload."""
    marker = f"test/end-of-retained/{free_port()}"
    with Listener(broker, topic_filter, marker) as listener:
        listener.publish(marker, b"end")
        wait_until(lambda: listener.on(marker), what="the marker comes after the retained messages")
        return {heard.topic: heard.payload for heard in listener.heard if heard.retain}


async def retained_when(
    broker: Mosquitto, topic_filter: str, wanted: Callable[[dict[str, bytes]], object], timeout: float = 10.0
) -> dict[str, bytes]:
    """The same as soon as it is as ``wanted``: what was sent may still be on its way."""
    async with asyncio.timeout(timeout):
        while not wanted(kept := await asyncio.to_thread(retained, broker, topic_filter)):
            pass
    return kept


def free_port() -> int:
    """A TCP port that nobody uses right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def make_certificates(folder: Path) -> TestCertificates:
    """Make a test authority and a server certificate signed by it, valid for a day."""
    folder.mkdir(parents=True, exist_ok=True)
    ca_key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "homeface test authority")])
    server_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    ca = (
        _certificate(ca_name, ca_name, ca_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    names = x509.SubjectAlternativeName(
        [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    )
    server = (
        _certificate(server_name, ca_name, server_key.public_key())
        .add_extension(names, critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    files = TestCertificates(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    files.ca.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    files.cert.write_bytes(server.public_bytes(serialization.Encoding.PEM))
    files.key.write_bytes(
        server_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return files


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(days=1))
    )
