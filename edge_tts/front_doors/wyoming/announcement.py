"""Home Assistant is told by multicast DNS where the server is. The optional library's one home."""

from __future__ import annotations

import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from ipaddress import ip_address

log = logging.getLogger(__name__)

SERVICE = "_wyoming._tcp.local."
_MDNS = ("224.0.0.251", 5353)


@asynccontextmanager
async def announced(name: str, host: str, port: int) -> AsyncIterator[None]:
    """Until the block ends, where zeroconf is installed. Trouble with the network is logged and costs nothing else."""
    if find_spec("zeroconf") is None:
        yield
        return
    from zeroconf import Error
    from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

    zeroconf = None
    try:
        address = _own_address(host)
        zeroconf = AsyncZeroconf(interfaces=[address])
        info = AsyncServiceInfo(SERVICE, f"{name}.{SERVICE}", parsed_addresses=[address], port=port)
        await zeroconf.async_register_service(info, allow_name_change=True)
    except (OSError, Error) as trouble:
        log.warning("wyoming is not announced (%s); give Home Assistant its address by hand", trouble)
    try:
        yield
    finally:
        if zeroconf is not None:
            await zeroconf.async_unregister_all_services()
            await zeroconf.async_close()


def _own_address(host: str) -> str:
    """`host`, or of an unspecified one the address that the local network reaches. Raises OSError."""
    address = socket.gethostbyname(host)
    if not ip_address(address).is_unspecified:
        return address
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(_MDNS)
        return str(probe.getsockname()[0])
