"""Behaviours of the directory and of arguments, most of them bad."""

from cryptography.hazmat.primitives.asymmetric import ed25519

from tests.dropin.place import HTML, pkcs8
from tests.servers.certificates import Authority, certificate_request, new_key
from tests.servers.fault_server import HANG_UP, Answer, problem
from tests.servers.process import free_ports

DNS_01 = {"validation": {}, "offers": ["dns-01"]}

# The directory


def a_directory_that_is_no_json(place):
    return place.faults({"directory": Answer(200, "hello", "text/plain")})


def a_directory_without_resources(place):
    return place.faults({"directory": Answer(200, {})})


def a_directory_that_is_a_page(place):
    return place.faults({"directory": HTML})


def a_directory_that_is_missing(place):
    return place.faults({"directory": Answer(404, "no such page", "text/plain")})


def a_directory_with_a_problem(place):
    return place.faults({"directory": problem("serverInternal", "we are broken", 500)})


def a_directory_that_hangs_up(place):
    return place.faults({"directory": HANG_UP})


def a_directory_of_an_unknown_ca(place):
    return place.faults(env=place.trust(Authority("Another root"), "other-trust.pem"))


def a_trust_file_that_is_missing(place):
    return place.faults(env={"SSL_CERT_FILE": "/missing/trust.pem"})


def a_trust_file_that_is_no_pem(place):
    (place.folder / "bad-trust.pem").write_text("nonsense")
    return place.faults(env={"SSL_CERT_FILE": str(place.folder / "bad-trust.pem")})


def a_directory_over_http(place):
    return place.faults(server={"scheme": "http"})


def a_refused_connection(place):
    return place.no_server(f"https://127.0.0.1:{free_ports(1)[0]}/directory")


def a_host_that_does_not_exist(place):
    return place.no_server("https://no-such-host.invalid/directory")


def a_server_that_is_no_url(place):
    return place.no_server("nonsense")


def no_server(place):
    return place.no_server("")


# Arguments


def a_csr_that_is_no_pem(place):
    return place.faults(csr="nonsense")


def an_empty_csr(place):
    return place.faults(csr="")


def a_csr_that_is_no_request(place):
    marks = "-----BEGIN CERTIFICATE REQUEST-----\nbm9uc2Vuc2U=\n-----END CERTIFICATE REQUEST-----\n"
    return place.faults(csr=marks)


def a_csr_that_is_a_key(place):
    return place.faults(csr=new_key())


def a_csr_without_names(place):
    return place.pebble(csr=certificate_request().decode())


def a_private_key_that_is_no_pem(place):
    return place.faults(private_key="nonsense")


def a_private_key_that_is_no_key(place):
    marks = "-----BEGIN EC PRIVATE KEY-----\nbm9uc2Vuc2U=\n-----END EC PRIVATE KEY-----\n"
    return place.faults(private_key=marks)


def a_private_key_that_no_ca_takes(place):
    return place.faults(private_key=pkcs8(ed25519.Ed25519PrivateKey.generate()))


def an_unknown_plugin(place):
    return place.faults(server=DNS_01, plugin="clouflare")


def a_dns_provider_without_credentials(place):
    return place.faults(server=DNS_01, plugin="cloudflare")


def an_env_value_that_is_no_text(place):
    return place.faults(env={"HTTP01_PORT": 80})


def an_env_value_that_is_null(place):
    return place.faults(env={"SOME_SETTING": None})


def an_env_name_with_an_equals_sign(place):
    return place.faults(env={"A=B": "c"})


def an_env_name_that_is_empty(place):
    return place.faults(env={"": "c"})


def an_env_value_with_a_nul(place):
    return place.faults(env={"SOME_SETTING": "a\0b"})


def nameservers_that_are_no_texts(place):
    return place.faults(dns_nameservers=[1])


def a_wait_of_half_a_second(place):
    return place.faults(dns_propagation_wait=0.5)


def a_port_out_of_range(place):
    return place.pebble("a.example", env={"HTTP01_PORT": "99999", "TLSALPN01_PORT": "99999"})


BEHAVIOURS = (
    a_directory_that_is_no_json,
    a_directory_without_resources,
    a_directory_that_is_a_page,
    a_directory_that_is_missing,
    a_directory_with_a_problem,
    a_directory_that_hangs_up,
    a_directory_of_an_unknown_ca,
    a_trust_file_that_is_missing,
    a_trust_file_that_is_no_pem,
    a_directory_over_http,
    a_refused_connection,
    a_host_that_does_not_exist,
    a_server_that_is_no_url,
    no_server,
    a_csr_that_is_no_pem,
    an_empty_csr,
    a_csr_that_is_no_request,
    a_csr_that_is_a_key,
    a_csr_without_names,
    a_private_key_that_is_no_pem,
    a_private_key_that_is_no_key,
    a_private_key_that_no_ca_takes,
    an_unknown_plugin,
    a_dns_provider_without_credentials,
    an_env_value_that_is_no_text,
    an_env_value_that_is_null,
    an_env_name_with_an_equals_sign,
    an_env_name_that_is_empty,
    an_env_value_with_a_nul,
    nameservers_that_are_no_texts,
    a_wait_of_half_a_second,
    a_port_out_of_range,
)
