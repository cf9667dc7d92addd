"""How long somebody who gave wrong passwords must wait. Pure; what was tried is kept by the store."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

REMEMBERED_SECONDS = 24 * 3600.0
_FREE = 5  # wrong passwords of one source without a wait
_FIRST_WAIT_SECONDS = 30.0
_LONGEST_WAIT_SECONDS = 3600.0
_HOUSE_FREE = 60  # of all sources together within an hour: somebody who changes addresses
_HOUSE_WAIT_SECONDS = 60.0


def wait_seconds(failures: Sequence[tuple[str, float]], source: str, now: float) -> float:
    """Seconds until ``source`` may try again; 0: now.

    ``failures``: (source, when) of the remembered wrong passwords, oldest first. After five of one source
    each doubles the wait, from half a minute to an hour. A source that behaved is only braked by the others
    when there were very many, and then for a minute at most: nobody can lock the owner out for long.
    A clock that was set back counts as no time gone by.
    """
    own = [at for by, at in failures if by == source]
    waits = [0.0]
    if len(own) >= _FREE:
        pause = min(_LONGEST_WAIT_SECONDS, _FIRST_WAIT_SECONDS * 2.0 ** min(20, len(own) - _FREE))
        waits.append(min(pause, own[-1] + pause - now))
    recent = [at for _, at in failures if at > now - 3600.0]
    if len(recent) >= _HOUSE_FREE:
        waits.append(min(_HOUSE_WAIT_SECONDS, recent[-1] + _HOUSE_WAIT_SECONDS - now))
    return max(waits)


def source_name(address: str) -> str:
    """What counts as one source: an IPv4 address, or the /64 of an IPv6 address (one home has it all)."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return str(ip.ipv4_mapped)
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)
