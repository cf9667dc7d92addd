"""Setting up: by hand, found, with a certificate of its own, a new token, another address."""

from __future__ import annotations

import datetime as dt
import json
import ssl
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from conftest import until
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from homeassistant.config_entries import SOURCE_MQTT, SOURCE_RECONFIGURE, SOURCE_USER, SOURCE_ZEROCONF
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.service_info.mqtt import MqttServiceInfo
from homeassistant.helpers.service_info.zeroconf import ZeroconfServiceInfo
from peer import INSTANCE, TOKEN, Peer, refusal
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.homeface import config_flow
from custom_components.homeface.api import CannotConnect
from custom_components.homeface.config_flow import clean_url
from custom_components.homeface.const import DOMAIN


async def begin(hass: HomeAssistant, source: str = SOURCE_USER, data: Any = None) -> Any:
    return await hass.config_entries.flow.async_init(DOMAIN, context={"source": source}, data=data)


async def go_on(hass: HomeAssistant, flow: Any, given: dict[str, Any] | None = None) -> Any:
    return await hass.config_entries.flow.async_configure(flow["flow_id"], given if given is not None else {})


def announced(peer: Peer, **changes: Any) -> MqttServiceInfo:
    told = {"instance_id": INSTANCE, "name": "Home", "node_id": "home", "url": peer.url, "version": "0.1.0"}
    return mqtt_message(json.dumps(told | changes))


def mqtt_message(payload: str) -> MqttServiceInfo:
    return MqttServiceInfo("homeface/home/announce", payload, 1, True, "homeface/+/announce", 0.0)


def in_network(peer: Peer, host: str = "127.0.0.1", **changes: Any) -> ZeroconfServiceInfo:
    told = {"instance_id": INSTANCE, "name": "Home", "tls": "0", "path": ""} | changes
    return ZeroconfServiceInfo(
        ip_address=ip_address(host),
        ip_addresses=[ip_address(host)],
        port=peer.port,
        hostname="home.local.",
        type="_homeface._tcp.local.",
        name="Home._homeface._tcp.local.",
        properties=told,
    )


async def test_by_hand(hass: HomeAssistant, peer: Peer) -> None:
    flow = await begin(hass)
    assert (flow["type"], flow["step_id"]) == (FlowResultType.FORM, "user")
    done = await go_on(hass, flow, {"url": f" {peer.url}/ ", "token": f"{TOKEN} "})
    assert (done["type"], done["title"]) == (FlowResultType.CREATE_ENTRY, "Home")
    assert done["data"] == {"url": peer.url, "token": TOKEN, "node_id": "home"}
    assert done["result"].unique_id == INSTANCE
    again = await go_on(hass, await begin(hass), {"url": peer.url, "token": TOKEN})
    assert again["reason"] == "already_configured"


@pytest.mark.parametrize(
    ("refused", "error"),
    [
        ((401, refusal("not_logged_in", "No.")), "invalid_auth"),
        ((403, refusal("missing_scope", "No.")), "missing_scope"),
        ((500, "broken"), "cannot_connect"),
        ((200, "no JSON"), "cannot_connect"),
        ((200, {"name": "Another program"}), "cannot_connect"),
        ((302, "http://127.0.0.1:1/steal"), "cannot_connect"),
        ((404, {"error": "strange"}), "cannot_connect"),
    ],
)
async def test_what_goes_wrong_can_be_put_right(
    hass: HomeAssistant, peer: Peer, refused: tuple[int, Any], error: str
) -> None:
    peer.refuse["GET /info"] = refused
    flow = await go_on(hass, await begin(hass), {"url": peer.url, "token": TOKEN})
    assert flow["errors"] == {"base": error}
    del peer.refuse["GET /info"]
    done = await go_on(hass, flow, {"url": peer.url, "token": TOKEN})
    assert done["type"] is FlowResultType.CREATE_ENTRY


async def test_an_address_must_be_one(hass: HomeAssistant, peer: Peer) -> None:
    flow = await go_on(hass, await begin(hass), {"url": "ftp://home", "token": TOKEN})
    assert flow["errors"] == {"url": "invalid_url"}
    nobody = await go_on(hass, flow, {"url": "http://127.0.0.1:1", "token": TOKEN})
    assert nobody["errors"] == {"base": "cannot_connect"}


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("http://home:8477", "http://home:8477"),
        ("https://home/homeface/", "https://home/homeface"),
        ("http://home:8477/api/v1/", "http://home:8477"),
        ("http://user:secret@home", None),
        ("home:8477", None),
        ("http://", None),
        ("http://home:99999", None),
        ("javascript:alert(1)", None),
        ("", None),
    ],
)
def test_clean_url(text: str, clean: str | None) -> None:
    assert clean_url(text) == clean


async def test_found_by_mqtt(hass: HomeAssistant, peer: Peer) -> None:
    flow = await begin(hass, SOURCE_MQTT, announced(peer))
    assert (flow["type"], flow["step_id"]) == (FlowResultType.FORM, "token")
    assert flow["description_placeholders"]["url"] == peer.url
    assert (await begin(hass, SOURCE_ZEROCONF, in_network(peer)))["reason"] == "already_in_progress"
    done = await go_on(hass, flow, {"url": peer.url, "token": TOKEN})
    assert done["type"] is FlowResultType.CREATE_ENTRY


async def test_found_by_zeroconf(hass: HomeAssistant, peer: Peer) -> None:
    flow = await begin(hass, SOURCE_ZEROCONF, in_network(peer))
    assert flow["description_placeholders"]["url"] == peer.url
    done = await go_on(hass, flow, {"url": peer.url, "token": TOKEN})
    assert done["data"]["url"] == peer.url


async def test_zeroconf_with_tls_a_path_and_ipv6(hass: HomeAssistant, peer: Peer) -> None:
    flow = await begin(hass, SOURCE_ZEROCONF, in_network(peer, "fd00::1", tls="1", path="/homeface"))
    assert flow["description_placeholders"]["url"] == f"https://[fd00::1]:{peer.port}/homeface"


@pytest.mark.parametrize(
    "payload", ["", "no JSON", "[]", "{}", '{"instance_id": "a", "name": "b", "url": "ftp://x"}']
)
async def test_nonsense_at_the_broker_is_no_discovery(hass: HomeAssistant, payload: str) -> None:
    assert (await begin(hass, SOURCE_MQTT, mqtt_message(payload)))["reason"] == "invalid_discovery_info"


async def test_nonsense_in_the_network_is_no_discovery(hass: HomeAssistant, peer: Peer) -> None:
    flow = await begin(hass, SOURCE_ZEROCONF, in_network(peer, instance_id=None))
    assert flow["reason"] == "invalid_discovery_info"


async def test_a_discovery_moves_nothing_by_itself(
    hass: HomeAssistant, peer: Peer, entry: MockConfigEntry
) -> None:
    """The entry is not connected: the new address is offered, and nothing was sent there."""
    flow = await begin(hass, SOURCE_MQTT, announced(peer, url="http://127.0.0.1:9"))
    assert flow["reason"] == "already_configured"
    assert entry.data["url"] == peer.url
    issue = ir.async_get(hass).async_get_issue(DOMAIN, f"address_changed_{entry.entry_id}")
    assert issue is not None
    assert issue.data == {"entry_id": entry.entry_id, "url": "http://127.0.0.1:9"}


async def test_a_discovery_does_not_disturb_what_works(
    hass: HomeAssistant, peer: Peer, loaded: MockConfigEntry
) -> None:
    flow = await begin(hass, SOURCE_MQTT, announced(peer, url="http://127.0.0.1:9"))
    assert flow["reason"] == "already_configured"
    assert not [issue for domain, issue in ir.async_get(hass).issues if domain == DOMAIN]


async def test_a_discovery_never_offers_to_do_without_encryption(hass: HomeAssistant, peer: Peer) -> None:
    MockConfigEntry(
        domain=DOMAIN, unique_id=INSTANCE, data={"url": "https://home:1", "token": TOKEN, "node_id": "home"}
    ).add_to_hass(hass)
    await begin(hass, SOURCE_MQTT, announced(peer))
    assert not [issue for domain, issue in ir.async_get(hass).issues if domain == DOMAIN]


async def test_a_new_token(hass: HomeAssistant, peer: Peer, entry: MockConfigEntry) -> None:
    peer.token = "another-token"
    flow = await entry.start_reauth_flow(hass)
    assert flow["step_id"] == "reauth_confirm"
    flow = await go_on(hass, flow, {"token": "wrong"})
    assert flow["errors"] == {"base": "invalid_auth"}
    done = await go_on(hass, flow, {"token": "another-token"})
    assert done["reason"] == "reauth_successful"
    assert entry.data["token"] == "another-token"
    await hass.async_block_till_done()
    await hass.config_entries.async_unload(entry.entry_id)


@pytest.mark.parametrize("flow_name", ["start_reauth_flow", "start_reconfigure_flow"])
async def test_a_token_of_another_homeface_is_refused(
    hass: HomeAssistant, peer: Peer, entry: MockConfigEntry, flow_name: str
) -> None:
    peer.info["instance_id"] = "f" * 32
    flow = await getattr(entry, flow_name)(hass)
    given = {"token": TOKEN} if flow_name == "start_reauth_flow" else {"url": peer.url}
    assert (await go_on(hass, flow, given))["reason"] == "wrong_instance"


async def test_another_address_with_the_token_that_is_known(
    hass: HomeAssistant, peer: Peer, entry: MockConfigEntry
) -> None:
    moved = Peer()
    moved.start()
    flow = await entry.start_reconfigure_flow(hass)
    done = await go_on(hass, flow, {"url": moved.url})
    assert done["reason"] == "reconfigure_successful"
    assert (entry.data["url"], entry.data["token"]) == (moved.url, TOKEN)
    await hass.async_block_till_done()
    await hass.config_entries.async_unload(entry.entry_id)
    moved.stop()


# -- certificates ---------------------------------------------------------------------------------------


class Authority:
    """Makes server certificates that nobody else vouches for."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "homeface authority")])
        self.certificate = self._made(self._name, self._key, ca=True)
        self.pem = self.certificate.public_bytes(serialization.Encoding.PEM)
        self.fingerprint = self.certificate.fingerprint(hashes.SHA256()).hex()

    def server(self, file: Path) -> tuple[ssl.SSLContext, str]:
        """A server's context with another certificate each time, and the certificate's fingerprint."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "some other name")])
        made = self._made(name, key, ca=False)
        pem = made.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file.write_bytes(pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context, made.fingerprint(hashes.SHA256()).hex()

    def _made(self, name: x509.Name, key: ec.EllipticCurvePrivateKey, *, ca: bool) -> x509.Certificate:
        start = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
        ours, theirs = key.public_key(), self._key.public_key()
        sign = x509.KeyUsage(True, False, False, False, False, ca, ca, False, False)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(ours)
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + dt.timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(sign, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(ours), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(theirs), critical=False)
            .sign(self._key, hashes.SHA256())
        )


def shown(flow: Any) -> str:
    """The fingerprint in a form."""
    return str(flow["description_placeholders"]["fingerprint"]).replace(":", "").lower()


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[tuple[Peer, str]]:
    context, fingerprint = Authority().server(tmp_path / "server.pem")
    running = Peer()
    running.start(context)
    yield running, fingerprint
    running.stop()


async def test_a_certificate_of_its_own_is_shown_first_and_insisted_on_later(
    hass: HomeAssistant, secure: tuple[Peer, str], tmp_path: Path
) -> None:
    peer, fingerprint = secure
    flow = await go_on(hass, await begin(hass), {"url": peer.url, "token": TOKEN})
    assert flow["step_id"] == "certificate"
    assert shown(flow) == fingerprint
    assert peer.asked == []
    done = await go_on(hass, flow)
    assert done["data"]["fingerprint"] == fingerprint
    await hass.async_block_till_done()
    await until_loaded(hass, done["result"])

    peer.stop()
    impostor = Peer()
    impostor.start(Authority().server(tmp_path / "impostor.pem")[0], port=peer.port)
    context = {"source": SOURCE_RECONFIGURE, "entry_id": done["result"].entry_id}
    flow = await hass.config_entries.flow.async_init(DOMAIN, context=context)
    flow = await go_on(hass, flow, {"url": peer.url})
    assert flow["step_id"] == "certificate"
    assert shown(flow) != fingerprint
    await hass.config_entries.async_unload(done["result"].entry_id)
    impostor.stop()


async def test_a_server_s_own_authority_is_shown_first_and_outlives_a_new_certificate(
    hass: HomeAssistant, tmp_path: Path
) -> None:
    authority, peer = Authority(), Peer()
    peer.authority = authority.pem
    peer.start(authority.server(tmp_path / "one.pem")[0])
    flow = await go_on(hass, await begin(hass), {"url": peer.url, "token": TOKEN})
    assert (flow["step_id"], shown(flow)) == ("certificate", authority.fingerprint)
    entry = (await go_on(hass, flow))["result"]
    assert entry.data["authority"] == authority.pem.decode()
    await until_loaded(hass, entry)
    peer.stop()
    await until(hass, lambda: not entry.runtime_data.connected)
    peer.start(authority.server(tmp_path / "two.pem")[0], port=peer.port)  # renewed
    await until_loaded(hass, entry)
    peer.stop()
    peer.start(Authority().server(tmp_path / "impostor.pem")[0], port=peer.port)
    await until(hass, lambda: "not trusted" in str(entry.runtime_data.last_exception))
    await hass.config_entries.async_unload(entry.entry_id)
    peer.stop()


async def test_an_authority_that_did_not_sign_the_certificate_is_of_no_use(
    hass: HomeAssistant, secure: tuple[Peer, str]
) -> None:
    peer, fingerprint = secure
    peer.authority = Authority().pem
    flow = await go_on(hass, await begin(hass), {"url": peer.url, "token": TOKEN})
    assert shown(flow) != fingerprint
    flow = await go_on(hass, flow)
    assert (flow["step_id"], shown(flow)) == ("certificate", fingerprint)
    peer.authority = b"nonsense"
    done = await go_on(hass, flow)
    assert done["data"]["fingerprint"] == fingerprint
    await until_loaded(hass, done["result"])
    await hass.config_entries.async_unload(done["result"].entry_id)


async def test_a_server_that_is_gone_when_its_certificate_is_asked_for(
    hass: HomeAssistant, secure: tuple[Peer, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    peer, _ = secure
    flow = await go_on(hass, await begin(hass), {"url": peer.url, "token": TOKEN})
    peer.stop()
    flow = await go_on(hass, flow)
    assert flow["errors"] == {"base": "cannot_connect"}


async def test_a_server_that_goes_before_its_certificate_is_seen(
    hass: HomeAssistant, secure: tuple[Peer, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    peer, _ = secure
    peer.authority = None

    async def gone(url: str) -> str:
        raise CannotConnect(f"{url} is gone")

    monkeypatch.setattr(config_flow, "certificate_fingerprint", gone)
    flow = await go_on(hass, await begin(hass), {"url": peer.url, "token": TOKEN})
    assert (flow["step_id"], flow["errors"]) == ("user", {"base": "cannot_connect"})


async def until_loaded(hass: HomeAssistant, entry: Any) -> None:
    await until(hass, lambda: entry.runtime_data.connected)
