"""The link to the MQTT broker: desired retained states, events that are never replayed, commands.

States and events are different things. A *state* is what is true now: the link keeps the newest payload
of each topic, and the broker gets it on change and after each reconnect. An *event* happened once: it is
sent now or never. It is not retained, not queued over a reconnect, and dropped when it is too old.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

import aiomqtt

from homeface.adapters.mqtt_connection import (
    BrokerClient,
    MqttSettings,
    MqttTls,
    acked,
    close_client,
    expiry,
    open_client,
)
from homeface.adapters.mqtt_trouble import Failure, Outages, describe, most_telling
from homeface.errors import BrokerError

__all__ = ["OFFLINE", "ONLINE", "EventPayload", "Handler", "MqttLink", "MqttSettings", "MqttStats", "MqttTls"]

LOGGER = logging.getLogger(__name__)

ONLINE = "online"
OFFLINE = "offline"

Handler = Callable[[str, bytes, bool], None]
"""Called with (topic, payload, retained). A ValueError means: this payload is nonsense."""
EventPayload = str | bytes | Callable[[float], str | bytes]
"""A payload, or what makes it right before sending, given the wall-clock time."""

_MAX_PENDING_EVENTS = 100
_GOODBYE_SECONDS = 1.0
_FLUSH_SECONDS = 0.7
_SHORT_SESSION_SECONDS = 10.0


@dataclass(slots=True)
class MqttStats:
    """Counters since the start. ``events_*`` dropped: too old, no connection, too many at once."""

    connections: int = 0
    states_sent: int = 0
    events_sent: int = 0
    events_stale: int = 0
    events_offline: int = 0
    events_overflowed: int = 0
    messages_received: int = 0
    payloads_refused: int = 0

    @property
    def events_dropped(self) -> int:
        """All events that were not sent."""
        return self.events_stale + self.events_offline + self.events_overflowed


@dataclass(frozen=True, slots=True)
class _Event:
    topic: str
    payload: EventPayload
    captured_at: float


class MqttLink:
    """One client of the broker, kept alive for ever. All methods belong to the event loop's thread."""

    def __init__(
        self,
        settings: MqttSettings,
        node_id: str,
        *,
        on_connected: Callable[[], Awaitable[None]] | None = None,
        clock: Callable[[], float] = time.time,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """``on_connected`` runs after each connect, before the states are sent; it may set states."""
        self.settings = settings
        self.client_id = settings.client_id or f"homeface-{node_id}"
        self.status_topic = f"{settings.base_topic}/{node_id}/status"
        self.stats = MqttStats()
        self.on_connected = on_connected
        self._clock = clock
        self._jitter = jitter
        self._desired: dict[str, bytes] = {}
        self._dirty: dict[str, None] = {}
        self._events: deque[_Event] = deque()
        self._handlers: dict[str, list[Handler]] = {}
        self._unsynced_filters: dict[str, int] = {}
        self._filter_changes = 0
        self._wake = asyncio.Event()
        self._closing = asyncio.Event()
        self._finished = asyncio.Event()
        self._running = False
        self._connected = False
        self._deadline: asyncio.Timeout | None = None
        self._outages = Outages(settings.address, self.client_id)
        self._short_sessions = 0

    @property
    def connected(self) -> bool:
        """True while the broker has all states and takes events."""
        return self._connected

    @property
    def error(self) -> BrokerError | None:
        """Why there is no connection; None while there is one, or before the first attempt."""
        return self._outages.error

    # what others want to be true -------------------------------------------------------------------

    def set_state(self, topic: str, payload: str | bytes | None) -> None:
        """Make ``payload`` the retained state of ``topic``, now or when the broker is back; None clears."""
        data = b"" if payload is None else _encode(payload)
        if self._desired.get(topic) == data:
            return
        self._desired[topic] = data
        self._dirty[topic] = None
        self._wake.set()

    def clear_state(self, topic: str) -> None:
        """Remove the retained state of ``topic``, later when there is no broker now."""
        self.set_state(topic, None)

    def republish(self, topics: Iterable[str] | None = None) -> None:
        """Send states again although they have not changed (Home Assistant was restarted); all by default."""
        wanted = list(self._desired if topics is None else topics)
        self._dirty.update(dict.fromkeys(topic for topic in wanted if topic in self._desired))
        self._wake.set()

    def publish_event(self, topic: str, payload: EventPayload, captured_at: float) -> bool:
        """Send what happened at ``captured_at``, now or never. False: dropped and counted."""
        if not self._connected or self._closing.is_set():
            self.stats.events_offline += 1
            return False
        if self._clock() - captured_at > self.settings.max_event_age_seconds:
            self.stats.events_stale += 1
            return False
        if len(self._events) >= _MAX_PENDING_EVENTS:
            self._events.popleft()
            self.stats.events_overflowed += 1
        self._events.append(_Event(topic, payload, captured_at))
        self._wake.set()
        return True

    def subscribe(self, topic_filter: str, handler: Handler) -> None:
        """Call ``handler`` for messages on ``topic_filter``, also after each reconnect."""
        self._handlers.setdefault(topic_filter, []).append(handler)
        self._touch_filter(topic_filter)

    def unsubscribe(self, topic_filter: str, handler: Handler) -> None:
        """Stop calling ``handler``. Unknown pairs are ignored."""
        handlers = self._handlers.get(topic_filter, [])
        if handler in handlers:
            handlers.remove(handler)
        if topic_filter in self._handlers and not handlers:
            del self._handlers[topic_filter]
            self._touch_filter(topic_filter)

    def _touch_filter(self, topic_filter: str) -> None:
        """The broker's subscription to this filter may have to change."""
        self._filter_changes += 1
        self._unsynced_filters[topic_filter] = self._filter_changes
        self._wake.set()

    # life ------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Stay connected until ``aclose`` or cancellation. Broker trouble never leaves this method."""
        self._running = True
        attempt = 0
        try:
            while not self._closing.is_set():
                before = self.stats.connections
                failure = await self._connect_and_serve()
                if failure is None or self._closing.is_set():
                    break
                attempt = 0 if self.stats.connections > before and not self._short_sessions else attempt + 1
                self._outages.failed(failure, self._short_sessions)
                await self._wait_for_retry(failure, attempt)
        finally:
            self._finished.set()

    def _hurry_when_closing(self) -> None:
        """Give the running session its last moments when the link is being closed."""
        if self._closing.is_set() and self._deadline is not None and not self._deadline.expired():
            self._deadline.reschedule(asyncio.get_running_loop().time() + _FLUSH_SECONDS)

    async def aclose(self) -> None:
        """Send what is pending, say ``offline`` and disconnect, within two seconds. Idempotent."""
        first = not self._closing.is_set()
        self._closing.set()
        self._wake.set()
        if first:
            self._hurry_when_closing()
        if self._running:
            try:
                async with asyncio.timeout(_FLUSH_SECONDS + _GOODBYE_SECONDS + 0.2):
                    await self._finished.wait()
            except TimeoutError:
                LOGGER.debug("The MQTT connection did not end in time")

    async def _connect_and_serve(self) -> Failure | None:
        """One connection from birth to death. None: closed on purpose."""
        will = aiomqtt.Will(self.status_topic, OFFLINE, qos=1, retain=True)
        try:
            client = await self._unless_closing(open_client(self.settings, self.client_id, will))
        except (OSError, aiomqtt.MqttError) as error:
            self._short_sessions = 0  # an unreachable broker explains itself
            return describe(error, self.settings, self.client_id)
        if client is None:
            return None
        self.stats.connections += 1
        started = time.monotonic()
        try:
            return await self._serve(client)
        finally:
            self._deadline = None
            self._connected = False
            self.stats.events_offline += len(self._events)
            self._events.clear()
            short = time.monotonic() - started < _SHORT_SESSION_SECONDS
            self._short_sessions = self._short_sessions + 1 if short else 0
            await self._say_goodbye(client)

    async def _unless_closing(self, opening: Awaitable[BrokerClient]) -> BrokerClient | None:
        """Await ``opening``, but give up at once when the link is being closed."""
        async with asyncio.TaskGroup() as group:
            task = group.create_task(_guarded(opening), name="mqtt-connect")
            watch = group.create_task(self._closing.wait(), name="mqtt-connect-watch")
            try:
                await asyncio.wait({task, watch}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                (watch if task.done() else task).cancel()
        if task.cancelled():
            return None
        result = task.result()
        if isinstance(result, BaseException):
            raise result
        return result

    async def _serve(self, client: BrokerClient) -> Failure | None:
        """Send and receive until the connection is lost (its cause is returned) or the link is closed."""
        failure: Failure | None = None
        try:
            async with asyncio.timeout(None) as self._deadline, asyncio.TaskGroup() as group:
                self._hurry_when_closing()
                receiver = group.create_task(self._receive(client), name="mqtt-receive")
                await self._send(client)
                receiver.cancel()
        except* (aiomqtt.MqttError, OSError) as errors:
            failure = describe(most_telling(errors), self.settings, self.client_id)
        return failure

    async def _send(self, client: BrokerClient) -> None:
        """Bring the broker up to date, announce ourselves, then pass on changes and events until closed."""
        if self.on_connected is not None:
            await self.on_connected()
        self._dirty = dict.fromkeys(self._desired)
        self._unsynced_filters = dict.fromkeys(self._handlers, 0)
        await self._flush_states(client)
        await self._sync_filters(client)
        # last, so that nobody takes what an earlier run left behind for the state of now
        await acked(client.publish(self.status_topic, ONLINE, qos=1, retain=True))
        self._connected = True
        self._outages.connected()
        while not self._closing.is_set():
            self._wake.clear()
            await self._flush_states(client)
            await self._sync_filters(client)
            if self._events:
                await self._send_event(client, self._events.popleft())
            elif not self._dirty and not self._unsynced_filters:
                await self._wake.wait()
        await self._flush_states(client)

    async def _flush_states(self, client: BrokerClient) -> None:
        """Publish each changed state and wait for the broker's receipt."""
        while self._dirty:
            topic = next(iter(self._dirty))
            payload = self._desired[topic]
            await acked(client.publish(topic, payload or None, qos=1, retain=True))
            self.stats.states_sent += 1
            if self._desired.get(topic) != payload:
                continue  # changed while we waited: send the newer one
            self._dirty.pop(topic, None)
            if not payload:
                del self._desired[topic]  # gone at the broker, too: nothing to keep

    async def _send_event(self, client: BrokerClient, event: _Event) -> None:
        """Send one event and wait for its receipt: a frozen broker has at most one to hand out late."""
        now = self._clock()
        left = self.settings.max_event_age_seconds - (now - event.captured_at)
        if left < 0:
            self.stats.events_stale += 1
            return
        payload = event.payload(now) if callable(event.payload) else event.payload
        properties = expiry(left) if self.settings.version == "5" else None
        sending = client.publish(event.topic, _encode(payload), qos=1, retain=False, properties=properties)
        await acked(sending)
        self.stats.events_sent += 1

    async def _sync_filters(self, client: BrokerClient) -> None:
        """Make the broker's subscriptions ours."""
        while self._unsynced_filters:
            topic_filter, change = next(iter(self._unsynced_filters.items()))
            if topic_filter in self._handlers:
                for code in await acked(client.subscribe(topic_filter, qos=1)):
                    if (code if isinstance(code, int) else code.value) >= 128:
                        text = "The broker does not let us subscribe to %s (%s)"
                        self._outages.complain(topic_filter, text, code)
            else:
                await acked(client.unsubscribe(topic_filter))
            if self._unsynced_filters.get(topic_filter) == change:
                del self._unsynced_filters[topic_filter]

    async def _receive(self, client: BrokerClient) -> None:
        """Hand incoming messages to their handlers; ends with MqttError when the connection does."""
        async for message in client.messages:
            self.stats.messages_received += 1
            topic = message.topic.value
            payload = message.payload if isinstance(message.payload, bytes) else b""
            if len(payload) > self.settings.max_payload_bytes:
                self.stats.payloads_refused += 1
                self._outages.complain(topic, "Ignoring a message on %s: %s bytes are too many", len(payload))
                continue
            handlers = [
                h for wanted, some in self._handlers.items() if message.topic.matches(wanted) for h in some
            ]
            for handler in handlers:
                self._hand_over(handler, topic, payload, bool(message.retain))

    def _hand_over(self, handler: Handler, topic: str, payload: bytes, retained: bool) -> None:
        """Call one handler; nonsense in a payload is told once per topic and hurts nobody."""
        try:
            handler(topic, payload, retained)
        except (ValueError, RecursionError) as error:  # bad JSON and bad UTF-8 are ValueErrors
            self.stats.payloads_refused += 1
            self._outages.complain(topic, "Ignoring a message on %s that cannot be understood: %s", error)

    async def _say_goodbye(self, client: BrokerClient) -> None:
        """Leave ``offline`` behind: a polite disconnect makes the broker forget the will."""
        try:
            async with asyncio.timeout(_GOODBYE_SECONDS / 2):
                await client.publish(self.status_topic, OFFLINE, qos=1, retain=True)
        except (aiomqtt.MqttError, OSError, TimeoutError) as error:
            LOGGER.debug("No MQTT goodbye: %s", error)
        await close_client(client, _GOODBYE_SECONDS / 2)

    # telling --------------------------------------------------------------------------------------

    async def _wait_for_retry(self, failure: Failure, attempt: int) -> None:
        """Wait with a capped, jittered backoff; returns early when the link is being closed."""
        s = self.settings
        pace = s.slow_retry_seconds if failure.slow else s.retry_seconds * 2 ** min(max(attempt - 1, 0), 16)
        limit = s.slow_retry_seconds if failure.slow else s.max_retry_seconds
        try:
            async with asyncio.timeout(min(pace, limit) * (0.5 + 0.5 * self._jitter())):
                await self._closing.wait()
        except TimeoutError:
            return


def _encode(payload: str | bytes) -> bytes:
    return payload.encode() if isinstance(payload, str) else payload


async def _guarded(opening: Awaitable[BrokerClient]) -> BrokerClient | OSError | aiomqtt.MqttError:
    """Turn an expected failure into a value, so that it does not travel as an exception group."""
    try:
        return await opening
    except (OSError, aiomqtt.MqttError) as error:
        return error
