"""Setting up: found by MQTT or zeroconf, or by hand; a new token; another address.

The token goes only to an address that the user has seen and accepted. A discovery never moves an entry that
exists, it asks (repairs): anybody on the network can announce anything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import voluptuous as vol
from homeassistant.config_entries import (
    SOURCE_REAUTH,
    SOURCE_RECONFIGURE,
    ConfigEntryState,
    ConfigFlow,
    ConfigFlowResult,
)
from homeassistant.const import CONF_TOKEN, CONF_URL
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.selector import TextSelector, TextSelectorConfig, TextSelectorType
from homeassistant.helpers.service_info.mqtt import MqttServiceInfo
from homeassistant.helpers.service_info.zeroconf import ZeroconfServiceInfo
from yarl import URL

from . import issues
from .api import (
    ApiError,
    CertificateNotTrusted,
    Forbidden,
    HomefaceClient,
    InvalidAuth,
    Trust,
    authority_fingerprint,
    certificate_fingerprint,
    own_authority,
)
from .const import CONF_AUTHORITY, CONF_FINGERPRINT, CONF_NODE_ID, DOMAIN
from .models import Info, Reader, UnexpectedAnswer

_URL = TextSelector(TextSelectorConfig(type=TextSelectorType.URL))
_SECRET = TextSelector(TextSelectorConfig(type=TextSelectorType.PASSWORD, autocomplete="off"))
_DEFAULT_URL = "http://homeassistant.local:8477"


class HomefaceConfigFlow(ConfigFlow, domain=DOMAIN):
    """One flow; every way in ends in ``_finish``."""

    VERSION = 1

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._url = ""
        self._token = ""
        self._trust = Trust()
        self._offered = Trust()
        self._name = DOMAIN

    # -- ways in --------------------------------------------------------------------------------------

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """By hand: address and token."""
        return await self._ask("user", user_input, url=True)

    async def async_step_mqtt(self, discovery_info: MqttServiceInfo) -> ConfigFlowResult:
        """homeface has announced itself at the broker."""
        try:
            announced = Reader(json.loads(discovery_info.payload))
            instance, name, url = (announced.text(key) for key in ("instance_id", "name", "url"))
        except (ValueError, UnexpectedAnswer):
            return self.async_abort(reason="invalid_discovery_info")
        return await self._found(instance, name, url)

    async def async_step_zeroconf(self, discovery_info: ZeroconfServiceInfo) -> ConfigFlowResult:
        """homeface has announced itself in the local network."""
        told = discovery_info.properties
        instance, name = told.get("instance_id"), told.get("name") or DOMAIN
        if not instance:
            return self.async_abort(reason="invalid_discovery_info")
        scheme = "https" if told.get("tls") == "1" else "http"
        host = f"[{discovery_info.host}]" if ":" in discovery_info.host else discovery_info.host
        return await self._found(
            str(instance), str(name), f"{scheme}://{host}:{discovery_info.port}{told.get('path') or ''}"
        )

    async def _found(self, instance: str, name: str, url: str) -> ConfigFlowResult:
        clean = clean_url(url)
        if clean is None or not instance:
            return self.async_abort(reason="invalid_discovery_info")
        entry = await self.async_set_unique_id(instance)
        if entry is not None:
            lost = entry.state is not ConfigEntryState.LOADED or not entry.runtime_data.connected
            weaker = entry.data[CONF_URL].startswith("https:") and clean.startswith("http:")
            if lost and not weaker and entry.data[CONF_URL] != clean:
                issues.tell_address_changed(self.hass, entry, clean)
            return self.async_abort(reason="already_configured")
        self._url, self._name = clean, name[:100]
        self.context["title_placeholders"] = {"name": self._name}
        return await self.async_step_token()

    async def async_step_token(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """The address was found; the token is missing."""
        return await self._ask("token", user_input, url=True)

    async def async_step_reauth(self, _entry_data: Mapping[str, Any]) -> ConfigFlowResult:
        """The token was refused."""
        return await self.async_step_reauth_confirm()

    async def async_step_reauth_confirm(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for another token."""
        self._take_from(self._get_reauth_entry().data)
        return await self._ask("reauth_confirm", user_input, url=False)

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Another address, and another token if wanted."""
        if not self._url:
            self._take_from(self._get_reconfigure_entry().data)
        return await self._ask("reconfigure", user_input, url=True)

    def _take_from(self, data: Mapping[str, Any]) -> None:
        self._url, self._token = data[CONF_URL], data[CONF_TOKEN]
        self._trust = Trust(data.get(CONF_AUTHORITY), data.get(CONF_FINGERPRINT))

    # -- the one form ---------------------------------------------------------------------------------

    async def _ask(self, step: str, given: dict[str, Any] | None, *, url: bool) -> ConfigFlowResult:
        errors: dict[str, str] = {}
        if given is not None:
            address = clean_url(given.get(CONF_URL, self._url))
            if address is None:
                errors[CONF_URL] = "invalid_url"
            else:
                if address != self._url:
                    self._trust = Trust()  # what was confirmed belongs to the other address
                self._url, self._token = address, given.get(CONF_TOKEN, "").strip() or self._token
                return await self._try(step, url=url)
        return self._form(step, errors, url=url)

    def _form(self, step: str, errors: dict[str, str], *, url: bool) -> ConfigFlowResult:
        token = vol.Optional if step == "reconfigure" else vol.Required
        fields: dict[vol.Marker, TextSelector] = {}
        if url:
            fields[vol.Required(CONF_URL, default=self._url or _DEFAULT_URL)] = _URL
        fields[token(CONF_TOKEN)] = _SECRET
        return self.async_show_form(
            step_id=step,
            data_schema=vol.Schema(fields),
            errors=errors,
            description_placeholders={"name": self._name, "url": self._url},
        )

    async def _try(self, step: str, *, url: bool) -> ConfigFlowResult:
        client = HomefaceClient(async_get_clientsession(self.hass), self._url, self._token, self._trust)
        try:
            return await self._finish(await client.info())
        except CertificateNotTrusted:
            return await self.async_step_certificate()
        except InvalidAuth:
            error = "invalid_auth"
        except Forbidden:
            error = "missing_scope"
        except ApiError:
            error = "cannot_connect"
        return self._form(step, {"base": error}, url=url)

    async def async_step_certificate(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """The server signs its own certificate: is it the one that homeface shows?"""
        if user_input is not None and self._offered != Trust():
            self._trust = self._offered
            return await self._try("user", url=True)
        session = async_get_clientsession(self.hass)
        try:
            authority = await own_authority(session, self._url)
            if authority is not None and self._trust.authority != authority:
                self._offered, digest = Trust(authority=authority), authority_fingerprint(authority)
            else:  # none of its own, or its certificate is not from there
                digest = await certificate_fingerprint(self._url)
                self._offered = Trust(fingerprint=digest)
        except ApiError:
            return self._form("user", {"base": "cannot_connect"}, url=True)
        shown = ":".join(digest[i : i + 2] for i in range(0, len(digest), 2)).upper()
        return self.async_show_form(
            step_id="certificate", description_placeholders={"fingerprint": shown, "url": self._url}
        )

    async def _finish(self, info: Info) -> ConfigFlowResult:
        data = {CONF_URL: self._url, CONF_TOKEN: self._token, CONF_NODE_ID: info.node_id}
        if self._trust.authority is not None:
            data[CONF_AUTHORITY] = self._trust.authority
        elif self._trust.fingerprint is not None:
            data[CONF_FINGERPRINT] = self._trust.fingerprint
        await self.async_set_unique_id(info.instance_id, raise_on_progress=False)
        if self.source == SOURCE_REAUTH:
            self._abort_if_unique_id_mismatch(reason="wrong_instance")
            return self.async_update_reload_and_abort(self._get_reauth_entry(), data=data)
        if self.source == SOURCE_RECONFIGURE:
            self._abort_if_unique_id_mismatch(reason="wrong_instance")
            return self.async_update_reload_and_abort(self._get_reconfigure_entry(), data=data)
        self._abort_if_unique_id_configured()
        return self.async_create_entry(title=info.name or DOMAIN, data=data)


def clean_url(text: str) -> str | None:
    """``text`` as http(s)://host:port/path without a slash at the end; None when it is no such address."""
    try:
        url = URL(text.strip())
        if (
            url.scheme not in {"http", "https"}
            or not url.host
            or url.user
            or url.password
            or url.port is None
        ):
            return None
    except (ValueError, TypeError):
        return None
    path = url.path.rstrip("/").removesuffix("/api/v1")
    return str(url.origin()) + path
