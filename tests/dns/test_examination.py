"""What the DNS says of names before anybody orders for them."""

import pytest

import pylego
from pylego import _engine
from pylego.renewal._names import check_name


@pytest.fixture
def examine(acme_server):
    """Examine names by the server's DNS; the CA goes by the name ca.example."""

    def run(*names, **more):
        message = {"names": names, "resolvers": [acme_server.dns], "issuers": ["ca.example"]}
        return _engine.run(_engine.Call("examine_names", {**message, **more}, timeout=20))["names"]

    return run


def test_zone_and_addresses_are_found(examine, acme_server):
    acme_server.set_aaaa("a.example", "::1")
    [found] = examine("a.example")
    assert (found["name"], found["zone"]) == ("a.example", "a.example")
    assert found["addresses"] == ["127.0.0.1", "::1"]


def test_names_come_in_their_order_and_wildcards_by_their_base(examine):
    found = examine("*.b.example", "a.example")
    assert [each["name"] for each in found] == ["*.b.example", "a.example"]
    assert found[0]["zone"] == "b.example"


def test_names_are_examined_as_the_ca_is_told_them(examine):
    found = examine("BÜCHER.example.", "::0001", "xn--bcher-kva.example")
    told = [("dns", "xn--bcher-kva.example"), ("ip", "::1")]
    assert [(each["type"], each["name"]) for each in found] == told
    assert found[1]["addresses"] == ["::1"]


def test_what_is_no_name_is_refused(examine):
    with pytest.raises(pylego.InvalidRequest, match="not a name that a certificate can hold"):
        examine("a..example")


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "a b", "a..example", ".a.example", "a\0.example", "-a.example", "a-.example"),
        *("a.*.example", "*.*.example", "*", "127.0.0.1.", "*.127.0.0.1", "fe80::1%lo"),
        *("a/b", "a" * 64 + ".example", "a." * 127 + "a", "ü b.example", "http://a.example"),
    ],
)
def test_what_is_no_name_is_refused_in_the_same_words_before_the_engine_is_asked(name, examine):
    with pytest.raises(pylego.InvalidRequest) as ours:
        check_name(name)
    with pytest.raises(pylego.InvalidRequest) as engines:
        examine(name)
    if name.isascii():
        assert str(ours.value).split(": ")[-1] == str(engines.value).split(": ")[-1]


@pytest.mark.parametrize(
    "name",
    ["A.Example.", "*.a.example", "::0001", "127.0.0.1", "BÜCHER.example", "_a.example", "a" * 63],
)
def test_what_is_a_name_to_the_engine_is_one_before_it_is_asked(name, examine):
    check_name(name)
    assert examine(name)


def test_records_of_the_nearest_name_above_count(examine, acme_server):
    acme_server.set_caa("example", (0, "issue", "ca.example"))
    acme_server.set_caa("b.example", (0, "issue", "other.example"))
    above, nearer = examine("a.example", "a.b.example")
    assert above["caa"]["domain"] == "example"
    assert above["caa"]["records"] == ['0 issue "ca.example"']
    assert above["caa"]["refusal"] == ""
    assert nearer["caa"]["domain"] == "b.example"
    assert nearer["caa"]["refusal"] == "no issue record names ca.example"


def test_records_behind_an_alias_count(examine, acme_server):
    acme_server.set_cname("a.example", "elsewhere.test")
    acme_server.set_caa("elsewhere.test", (0, "issue", ";"))
    [found] = examine("a.example")
    assert found["caa"]["refusal"]


def test_what_cannot_be_found_out_is_told(examine, acme_server):
    acme_server.set_servfail("a.example")
    [found] = examine("a.example")
    for error in (found["zone_error"], found["addresses_error"], found["caa"]["error"]):
        assert "SERVFAIL" in error


def test_a_resolver_that_is_none_is_refused(examine):
    with pytest.raises(pylego.InvalidRequest, match="no name server"):
        examine("a.example", resolvers=["a b"])
