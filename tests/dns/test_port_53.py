"""Name servers where the world has them, at port 53: what is looked at by default."""

from pathlib import Path

import pytest

from tests.servers.bind import Bind
from tests.servers.build import executable
from tests.servers.fixtures import found

ROOT = Path(__file__).parents[2]

IN_A_NETWORK_OF_ITS_OWN = """
    import fcntl, pathlib, socket, struct

    import pylego
    from pylego import dns_persist
    from tests.servers.bind import Bind
    from tests.servers.pebble import Pebble

    SIOCSIFFLAGS, UP = 0x8914, 0x1
    fcntl.ioctl(socket.socket(), SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", UP))
    folder = pathlib.Path({folder!r})
    with Bind(folder, port=53) as bind, Pebble(folder, resolver=bind.address) as ca:
        where = {{"resolvers": ["127.0.0.1"]}}
        client = pylego.Client(
            ca.directory, trust=ca.trust.read_text(), accept_terms=True, timeout=60
        )
        challenge = pylego.DNS01("rfc2136", **where, **bind.credentials())
        certificate = client.obtain("a.example", "*.a.example", challenges=challenge)
        print(len(certificate.identifiers), bind.records())

        record = dns_persist.record("a.example", client.account, issuer="ca.example")
        for values in (["other"], ["other", f'"{{record.value}}"']):
            bind.replace(f"{{record.name}}.", values)
            try:
                record.verify(**where)
                print("there")
            except pylego.PropagationTimeout as error:
                [answer] = error.answers
                print(answer.server, answer.said)
"""


@pytest.mark.timeout(600)
def test_by_default_the_zones_servers_and_the_resolvers_are_asked(program, own_network, tmp_path):
    found(Bind(tmp_path))
    executable("pebble")  # perhaps built here: the program has less time
    source = IN_A_NETWORK_OF_ITS_OWN.format(folder=str(tmp_path))
    running = program(source, launcher=own_network, env={"PYTHONPATH": str(ROOT)})
    code, out, err = running.end()
    assert code == 0, err
    assert out.splitlines() == ["2 []", 'ns.example. (127.0.0.1:53) TXT "other"', "there"]
