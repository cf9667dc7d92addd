"""What goes wrong with an MQTT broker, in sentences for the household, and logged without flooding."""

from __future__ import annotations

import logging
import socket
import ssl
from dataclasses import dataclass

import aiomqtt
from paho.mqtt.reasoncodes import ReasonCode

from homeface.adapters.mqtt_connection import MqttSettings
from homeface.adapters.telemetry import OutageLog
from homeface.errors import BrokerError

LOGGER = logging.getLogger(__name__)

_SHORT_SESSIONS_TOLD = 3
_MAX_COMPLAINTS = 500

# MQTT reason codes (5.0, 2.4); paho turns the return codes of 3.1.1 into these
_CODE_SENTENCES = {
    132: "The {where} does not speak MQTT {version}: set mqtt.version to the other one.",
    133: "The {where} refused the client id {client_id!r}: choose another mqtt.client_id.",
    134: "The {where} refused our user name or password: check mqtt.username and mqtt.password.",
    135: "The {where} refused our user name or password: check mqtt.username and mqtt.password.",
    138: "The {where} has banned us: check its configuration.",
    142: "Another client took over our client id {client_id!r} at the {where}: is homeface running twice? "
    "Give each its own mqtt.client_id and node.",
}


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no connection. ``slow``: trying again soon will not help, a person must act."""

    text: str
    slow: bool = False


def describe(error: BaseException, settings: MqttSettings, client_id: str) -> Failure:
    """Say in a sentence why the broker cannot be used, and what to do."""
    where = f"MQTT broker {settings.address}"
    sentence = _CODE_SENTENCES.get(_reason_code(error))
    if sentence is not None:
        return Failure(sentence.format(where=where, version=settings.version, client_id=client_id), slow=True)
    if settings.tls is not None and isinstance(error, ssl.SSLError | FileNotFoundError | PermissionError):
        return _describe_tls(error, where)
    match error:
        case socket.gaierror():
            text = f"The name of the {where} cannot be resolved: check mqtt.host."
        case TimeoutError():
            text = f"The {where} does not answer."
        case OSError():
            text = (
                f"The {where} cannot be reached ({error.strerror or error}): is it running, and are "
                "mqtt.host and mqtt.port right?"
            )
        case _:
            text = f"The connection to the {where} was lost ({error})."
    return Failure(text)


def _describe_tls(error: OSError, where: str) -> Failure:
    match error:
        case ssl.SSLCertVerificationError():
            text = (
                f"The certificate of the {where} is not trusted ({error.verify_message}): check mqtt.tls.ca."
            )
        case ssl.SSLError():
            text = f"TLS with the {where} failed ({error.reason or error}): check mqtt.port and mqtt.tls."
        case _:
            text = f"A TLS file for the {where} cannot be read ({error.strerror}): check mqtt.tls."
    return Failure(text, slow=True)


def _reason_code(error: BaseException | None) -> int:
    """The MQTT reason code inside an aiomqtt error or its causes; -1 when there is none."""
    while error is not None:
        code = error.rc if isinstance(error, aiomqtt.MqttCodeError) else None
        if isinstance(code, ReasonCode):
            return int(code.value)
        error = error.__cause__
    return -1


def most_telling(group: BaseExceptionGroup[Exception]) -> BaseException:
    """Of several errors of one connection the one with a reason code, else the first."""
    leaves: list[BaseException] = []
    rest: list[BaseException] = [group]
    while rest:
        error = rest.pop(0)
        if isinstance(error, BaseExceptionGroup):
            rest.extend(error.exceptions)
        else:
            leaves.append(error)
    return next((leaf for leaf in leaves if _reason_code(leaf) >= 0), leaves[0])


class Outages:
    """Logs an outage once, and once more when it turns out that a person has to act."""

    def __init__(self, address: str, client_id: str) -> None:
        self.error: BrokerError | None = None
        self._client_id = client_id
        self._log = OutageLog(LOGGER, f"MQTT broker {address}")
        self._complained: set[str] = set()

    def failed(self, failure: Failure, short_sessions: int) -> None:
        """There is no connection. ``short_sessions``: how many in a row ended right after their start."""
        text, serious = failure.text, failure.slow
        if short_sessions >= _SHORT_SESSIONS_TOLD and not serious:
            serious = True
            text += (
                " This happens again and again right after connecting: is another client using the id "
                f"{self._client_id!r}?"
            )
        if serious and self._log.lasting and str(self.error) != text:
            LOGGER.warning("%s", text)
        self.error = BrokerError(text)
        self._log.failed(text)

    def connected(self) -> None:
        """The broker is there and has everything."""
        self.error = None
        self._log.worked()

    def complain(self, topic: str, text: str, detail: object) -> None:
        """Log a warning once per topic, for a bounded number of topics."""
        if topic in self._complained or len(self._complained) >= _MAX_COMPLAINTS:
            LOGGER.debug(text, topic, detail)
            return
        self._complained.add(topic)
        LOGGER.warning(text, topic, detail)
