import socket

import pytest

from lab.proxy.addresses import Address, AddressError, listen, resolve, split


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("127.0.0.1:80", ("127.0.0.1", 80)),
        ("[::1]:80", ("::1", 80)),
        ("localhost:", ("localhost", 0)),
        (":5", ("", 5)),
        ("", ("", 0)),
        ("a:http", ("a", 80)),
    ],
)
def test_addresses_are_split_as_go_splits_them(address, found):
    """Host and port, either of which may be absent."""
    assert split(address) == found


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("127.0.0.1", "address 127.0.0.1: missing port in address"),
        ("[::1]", "address [::1]: missing port in address"),
        ("::1:80", "address ::1:80: too many colons in address"),
        ("a:99999", "address 99999: invalid port"),
        ("a:-1", "lookup tcp/-1: unknown port"),
        ("a:\0", "lookup tcp/\0: unknown port"),
        ("a:no such service", "unknown port"),
    ],
)
def test_what_is_no_address(address, words):
    """Each fault has Go's words for it."""
    with pytest.raises(AddressError) as caught:
        split(address)
    assert words in str(caught.value)


async def test_names_are_resolved():
    """localhost is 127.0.0.1 first; what is unknown or cannot be a name is said to be no host."""
    assert str(await resolve("localhost:5")) == "127.0.0.1:5"
    assert str(Address("::1", 5)) == "[::1]:5"
    for name in ("nowhere.invalid", "a\0b", "x" * 300):
        with pytest.raises(AddressError, match="no such host"):
            await resolve(f"{name}:5")


async def test_listening_everywhere():
    """Without a host one socket takes IPv4 and, where the machine has it, IPv6."""
    sock, address = await listen("")
    with sock:
        port = int(address.rpartition(":")[2])
        socket.create_connection(("127.0.0.1", port), timeout=5).close()


async def test_an_address_of_another_machine():
    """Where the address is not ours, the system's words are passed on."""
    with pytest.raises(AddressError, match=r"listen tcp 192\.0\.2\.1:1: bind: cannot assign requested address"):
        await listen("192.0.2.1:1")
