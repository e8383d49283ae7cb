"""The places at which programs' tests take hold of pylego 0.1: names, message and answer."""

import dataclasses
import inspect
import json
import types
from unittest import mock

import pytest

import pylego
import pylego.pylego

DATA = {
    "csr": "request",
    "private_key": "",
    "certificate": "leaf and chain",
    "issuer_certificate": "chain",
    "metadata": {"stable_url": "https://ca/1", "url": "https://ca/1", "domain": "a.example"},
}
SUCCESS = json.dumps({"success": True, "data": DATA}).encode()
MESSAGE = {
    "email": "dev@example.com",
    "server": "https://ca.example/dir",
    "csr": "request",
    "plugin": "",
    "env": {"HTTP01_PORT": "8080"},
    "private_key": "",
}
ARGUMENTS = ("dev@example.com", "https://ca.example/dir", b"request", {"HTTP01_PORT": "8080"})


@pytest.fixture
def library():
    """Stand in for the library: no engine is loaded."""
    with mock.patch("pylego.pylego.library.RunLegoCommand") as function:
        function.return_value = SUCCESS
        yield function


def message(library):
    ((text,), keywords) = library.call_args
    assert isinstance(text, bytes)
    assert keywords == {}
    return json.loads(text)


# Names


@pytest.mark.parametrize(
    "name",
    ["Identifier", "LEGOError", "LEGOResponse", "Metadata", "Subproblem", "run_lego_command"],
)
def test_a_name_is_importable_from_both_modules(name):
    assert getattr(pylego, name) is getattr(pylego.pylego, name)


def test_the_inner_module_is_an_attribute_of_the_package():
    assert inspect.ismodule(pylego.pylego)
    assert pylego.pylego.__name__ == "pylego.pylego"


@pytest.mark.parametrize(
    ("target", "module"),
    [("pylego.run_lego_command", pylego), ("pylego.pylego.run_lego_command", pylego.pylego)],
)
def test_run_lego_command_can_be_patched(target, module):
    with mock.patch(target, return_value="patched") as replaced:
        assert module.run_lego_command(email="dev@example.com") == "patched"
    replaced.assert_called_once_with(email="dev@example.com")
    assert module.run_lego_command is not replaced


def test_run_lego_command_can_be_patched_with_its_signature():
    with mock.patch("pylego.run_lego_command", autospec=True) as replaced:
        pylego.run_lego_command(*ARGUMENTS, plugin="http")
    replaced.assert_called_once()


def test_the_library_can_be_patched_as_a_whole():
    with mock.patch("pylego.pylego.library") as library:
        library.RunLegoCommand.return_value = SUCCESS
        assert pylego.run_lego_command(*ARGUMENTS).certificate == "leaf and chain"


# The message


def test_the_message_holds_what_0_1_sent(library):
    pylego.run_lego_command(*ARGUMENTS)
    assert message(library) == MESSAGE


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dns_propagation_wait", 0),
        ("dns_propagation_wait", 30),
        ("dns_nameservers", []),
        ("dns_nameservers", ["192.0.2.1:53"]),
    ],
)
def test_an_optional_argument_is_in_the_message_when_it_is_given(library, name, value):
    pylego.run_lego_command(*ARGUMENTS, **{name: value})
    assert message(library) == {**MESSAGE, name: value}


def test_an_external_account_is_in_the_message_when_it_is_given(library):
    pylego.run_lego_command(*ARGUMENTS, eab_kid="kid", eab_hmac="hmac")
    assert message(library) == {**MESSAGE, "eab_kid": "kid", "eab_hmac": "hmac"}


def test_an_empty_external_account_is_one(library):
    pylego.run_lego_command(*ARGUMENTS, eab_kid="", eab_hmac="")
    assert message(library) == {**MESSAGE, "eab_kid": "", "eab_hmac": ""}


EVERYTHING = {**MESSAGE, "plugin": "namecheap", "private_key": "key"}
FIRST = ARGUMENTS[:3]
ENV = ARGUMENTS[3]


@pytest.mark.parametrize(
    "arguments",
    [(*FIRST, ENV, "namecheap", "key"), (*FIRST, "namecheap", ENV, "key")],
    ids=["as 0.1 took it", "as 0.1 documented it"],
)
def test_both_positional_orders_are_understood(library, arguments):
    pylego.run_lego_command(*arguments)
    assert message(library) == EVERYTHING


def test_keywords_are_understood(library):
    names = ("email", "server", "csr", "env", "plugin", "private_key")
    pylego.run_lego_command(**dict(zip(names, (*ARGUMENTS, "namecheap", "key"), strict=True)))
    assert message(library) == EVERYTHING


@pytest.mark.parametrize("csr", ["request", b"request", bytearray(b"request")])
@pytest.mark.parametrize("key", ["key", b"key"])
def test_csr_and_key_are_text_or_bytes(library, csr, key):
    pylego.run_lego_command(*ARGUMENTS[:2], csr, ENV, "namecheap", key)
    assert message(library) == EVERYTHING


def test_an_env_that_is_another_mapping_is_understood(library):
    pylego.run_lego_command(*FIRST, types.MappingProxyType(ENV))
    assert message(library) == MESSAGE


def test_a_negative_wait_is_refused(library):
    with pytest.raises(ValueError, match=r"^dns_propagation_wait cannot be negative$"):
        pylego.run_lego_command(*ARGUMENTS, dns_propagation_wait=-1)
    library.assert_not_called()


@pytest.mark.parametrize("half", [{"eab_kid": "kid"}, {"eab_hmac": "hmac"}])
def test_half_an_external_account_is_refused(library, half):
    text = r"^eab_kid and eab_hmac must both be provided or both omitted$"
    with pytest.raises(ValueError, match=text):
        pylego.run_lego_command(*ARGUMENTS, **half)
    library.assert_not_called()


CIRCLE = []
CIRCLE.append(CIRCLE)


@pytest.mark.parametrize(
    "value", [object(), 10**5000, CIRCLE], ids=["no JSON", "too many digits", "a circle"]
)
def test_an_argument_that_no_message_can_hold_is_refused(library, value):
    with pytest.raises(pylego.LEGOError, match="do not fit: dns_nameservers: ") as caught:
        pylego.run_lego_command(*ARGUMENTS, dns_nameservers=value)
    assert caught.value.code == "invalid_arguments"
    library.assert_not_called()


# The answer


def test_an_answer_of_0_1_becomes_a_response(library):
    assert pylego.run_lego_command(*ARGUMENTS) == pylego.LEGOResponse(
        csr="request",
        private_key="",
        certificate="leaf and chain",
        issuer_certificate="chain",
        metadata=pylego.Metadata("https://ca/1", "https://ca/1", "a.example"),
    )


def test_an_answer_that_is_no_json_is_quoted(library):
    library.return_value = b"certainly not JSON"
    with pytest.raises(pylego.LEGOError) as caught:
        pylego.run_lego_command(*ARGUMENTS)
    assert caught.value.detail == "Failed to parse response: certainly not JSON"
    assert str(caught.value) == "Failed to parse response: certainly not JSON"
    assert (caught.value.type, caught.value.code) == ("lego", "")
    assert isinstance(caught.value.__cause__, json.JSONDecodeError)


KEY = "-----BEGIN EC PRIVATE KEY-----\\nhush"


@pytest.mark.parametrize(
    "answer",
    [
        json.dumps({"success": True, "data": {**DATA, "account_key": "hush", "new": ""}}).encode(),
        b'{"success":true,"data":{"account_key":"hush"}}',
        b'{"success": true, "data": {"account_key": "hush',
        f'"account_key": "{KEY}'.encode(),
    ],
    ids=["a field more", "fields less", "cut off", "its end"],
)
def test_a_success_that_cannot_be_read_shows_no_key(library, answer):
    library.return_value = answer
    with pytest.raises(pylego.LEGOError, match=r"^Failed to parse response: ") as caught:
        pylego.run_lego_command(*ARGUMENTS)
    assert "hush" not in f"{caught.value!r} {caught.value.detail} {caught.value.__cause__!r}"


def test_an_error_of_pythons_own_has_its_code_and_words():
    failed = pylego.EngineError("the engine cannot be loaded")
    with mock.patch("pylego._engine.run", side_effect=failed):
        with pytest.raises(pylego.LEGOError) as caught:
            pylego.run_lego_command(*ARGUMENTS)
        answer = json.loads(pylego.pylego.Library().RunLegoCommand(b"{}"))
    assert str(caught.value) == "[engine_error] the engine cannot be loaded"
    assert (caught.value.type, caught.value.code, caught.value.phase) == (
        "lego",
        "engine_error",
        "engine",
    )
    assert answer["error"]["code"] == "engine_error"


def test_a_problem_becomes_an_error(library):
    info = {
        "type": "acme",
        "code": "compound",
        "status": 403,
        "detail": "several names are refused",
        "acme_type": "urn:ietf:params:acme:error:compound",
        "subproblems": [
            {"type": "caa", "detail": "no", "identifier": {"type": "dns", "value": "a.example"}},
            {"type": "unknown", "detail": "of nothing"},
        ],
    }
    library.return_value = json.dumps({"success": False, "error": info}).encode()
    with pytest.raises(pylego.LEGOError) as caught:
        pylego.run_lego_command(*ARGUMENTS)
    error = caught.value
    assert type(error) is pylego.LEGOError
    assert str(error) == "[compound] several names are refused"
    assert (error.type, error.code, error.status) == ("acme", "compound", 403)
    assert error.acme_type == "urn:ietf:params:acme:error:compound"
    assert error.info == info
    assert error.subproblems == [
        pylego.pylego.Subproblem("caa", "no", pylego.pylego.Identifier("dns", "a.example")),
        pylego.pylego.Subproblem("unknown", "of nothing", pylego.pylego.Identifier("", "")),
    ]


@pytest.mark.parametrize(
    "answer", [b"{}", b'{"success": false}', b'{"success": false, "error": {}}']
)
def test_an_answer_without_an_error_is_an_unknown_error(library, answer):
    library.return_value = answer
    with pytest.raises(pylego.LEGOError) as caught:
        pylego.run_lego_command(*ARGUMENTS)
    assert str(caught.value) == "Unknown error occurred"
    assert (caught.value.type, caught.value.code, caught.value.info) == ("lego", "", {})


def test_an_error_that_is_not_the_cas_has_no_acme_type(library):
    error = {"type": "other", "code": "network_error", "detail": "away", "acme_type": "urn:x"}
    library.return_value = json.dumps({"success": False, "error": error}).encode()
    with pytest.raises(pylego.LEGOError) as caught:
        pylego.run_lego_command(*ARGUMENTS)
    assert (caught.value.type, caught.value.acme_type) == ("lego", "")


# The classes


def test_an_error_has_every_attribute_by_default():
    error = pylego.LEGOError("what happened")
    assert str(error) == "what happened"
    assert {name: getattr(error, name) for name in ATTRIBUTES} == ATTRIBUTES
    assert error.subproblems is not pylego.LEGOError("another").subproblems


ATTRIBUTES = {
    "type": "lego",
    "code": "",
    "status": None,
    "detail": "what happened",
    "acme_type": "",
    "subproblems": [],
    "info": {},
}


def test_an_error_takes_every_attribute_by_keyword():
    parts = [pylego.pylego.Subproblem("dns", "no", pylego.pylego.Identifier("dns", "a.example"))]
    given = {
        "type": "acme",
        "code": "dns",
        "status": 400,
        "acme_type": "urn:ietf:params:acme:error:dns",
        "subproblems": parts,
        "info": {"type": "acme"},
    }
    error = pylego.LEGOError("SERVFAIL", **given)
    assert {name: getattr(error, name) for name in given} == given
    assert str(error) == "[dns] SERVFAIL"


def test_an_error_takes_nothing_but_its_detail_by_position():
    with pytest.raises(TypeError):
        pylego.LEGOError("SERVFAIL", "acme")


def test_responses_are_equal_when_their_fields_are():
    response = response_of()
    assert response == response_of()
    assert response != dataclasses.replace(response, certificate="other")
    assert response != dataclasses.replace(response, account_key="other")


def test_a_response_is_made_of_the_fields_of_0_1():
    assert response_of().account_key == ""
    assert [field.name for field in dataclasses.fields(pylego.LEGOResponse)] == [
        *DATA,
        "account_key",
    ]


def test_the_account_key_is_not_in_the_repr():
    response = dataclasses.replace(response_of(), account_key="SECRET")
    assert "SECRET" not in repr(response)
    assert "account_key" not in repr(response)


def response_of():
    return pylego.LEGOResponse(**{**DATA, "metadata": pylego.Metadata(**DATA["metadata"])})


def test_the_signature_is_that_of_0_1():
    parameters = inspect.signature(pylego.run_lego_command).parameters
    assert list(parameters) == [
        "email",
        "server",
        "csr",
        "env",
        "plugin",
        "private_key",
        "dns_propagation_wait",
        "dns_nameservers",
        "eab_kid",
        "eab_hmac",
    ]
    assert all(each.kind is each.POSITIONAL_OR_KEYWORD for each in parameters.values())
