"""Behaviours with a CA that refuses, breaks or lies, in words of our choice."""

from tests.dropin.place import HTML
from tests.servers.fault_server import ERROR, HANG_UP, Answer, problem, subproblem


def an_order_over_a_limit(place):
    limit = problem("rateLimited", "too many orders", 429, headers={"Retry-After": "3600"})
    return place.faults({"newOrder": limit})


def a_name_the_ca_rejects(place):
    return place.faults({"newOrder": problem("rejectedIdentifier", "not for you", 400)})


def subproblems(place):
    parts = [
        subproblem("rejectedIdentifier", "c is refused", "c.example"),
        subproblem("caa", "a has a CAA record", "a.example"),
        {
            "type": "",
            "detail": "b has no type",
            "identifier": {"type": "dns", "value": "b.example"},
        },
        {"type": ERROR + "malformed", "detail": "nobody's problem"},
    ]
    refused = problem("compound", "several names are refused", 403, subproblems=parts)
    return place.faults({"newOrder": refused}, "a.example", "b.example", "c.example")


def a_problem_of_an_empty_type(place):
    return place.faults({"newOrder": problem("", "no type at all", 400)})


def a_problem_without_a_type(place):
    body = {"detail": "no type at all", "status": 403}
    return place.faults({"newOrder": Answer(403, body, "application/problem+json")})


def a_problem_of_a_foreign_type(place):
    return place.faults({"newOrder": problem("https://ca.example/problems/odd", "odd", 418)})


def a_problem_without_a_status(place):
    body = {"type": ERROR + "malformed", "detail": "no status in the document"}
    return place.faults({"newOrder": Answer(400, body, "application/problem+json")})


def a_problem_sent_as_json(place):
    body = {"type": ERROR + "malformed", "detail": "of another media type", "status": 400}
    return place.faults({"newOrder": Answer(400, body, "application/json")})


def a_problem_without_a_detail(place):
    body = {"type": ERROR + "malformed", "status": 400}
    return place.faults({"newOrder": Answer(400, body, "application/problem+json")})


def an_internal_error(place):
    return place.faults({"newOrder": problem("serverInternal", "we are broken", 500)})


def a_page_instead_of_an_order(place):
    return place.faults({"newOrder": HTML})


def an_order_that_is_no_json(place):
    answer = Answer(201, "fine", headers={"Location": "{url}/order/0"})
    return place.faults({"newOrder": answer})


def a_connection_lost_at_the_order(place):
    return place.faults({"newOrder": HANG_UP})


def an_account_the_ca_does_not_know(place):
    return place.faults({"newOrder": problem("accountDoesNotExist", "who are you?", 400)})


def an_account_refused(place):
    return place.faults({"newAccount": problem("unauthorized", "no accounts today", 403)})


def a_page_instead_of_an_account(place):
    return place.faults({"newAccount": HTML})


def a_connection_lost_at_the_account(place):
    return place.faults({"newAccount": HANG_UP})


def every_nonce_rejected(place):
    return place.faults({"newAccount": problem("badNonce", "JWS has an invalid nonce", 400)})


def a_page_instead_of_a_nonce(place):
    return place.faults({"newNonce": HTML})


def a_challenge_refused(place):
    return place.faults(
        {}, server={"validation": {"a.example": _reason("unauthorized", "not that token", 403)}}
    )


def a_challenge_refused_for_dns(place):
    return place.faults({}, server={"validation": {"a.example": _reason("dns", "SERVFAIL", 400)}})


def a_challenge_refused_for_caa(place):
    return place.faults(
        {}, server={"validation": {"a.example": _reason("caa", "CAA says no", 403)}}
    )


def a_challenge_refused_without_a_type(place):
    return place.faults(
        {}, server={"validation": {"a.example": _reason("", "it just failed", 403)}}
    )


def a_challenge_refused_with_subproblems(place):
    reason = _reason("unauthorized", "two places disagree", 403)
    reason["subproblems"] = [subproblem("dns", "no such name", "a.example")]
    return place.faults({}, server={"validation": {"a.example": reason}})


def two_names_of_three_refused(place):
    names = ("c.example", "b.example", "a.example")
    reasons = {
        "c.example": _reason("connection", "c is away", 400),
        "b.example": _reason("dns", "b is unknown", 400),
    }
    return place.faults({}, *names, server={"validation": reasons})


def an_authorization_that_is_gone(place):
    gone = {
        "identifier": {"type": "dns", "value": "a.example"},
        "status": "deactivated",
        "challenges": [],
    }
    return place.faults({"authorization": Answer(200, gone)}, server={"validation": {}})


def only_challenges_that_are_not_configured(place):
    offered = {
        "identifier": {"type": "dns", "value": "a.example"},
        "status": "pending",
        "challenges": [
            {"type": "dns-01", "url": "{url}/challenge/0/0", "status": "pending", "token": "abc"}
        ],
    }
    return place.faults({"authorization": Answer(200, offered)}, server={"validation": {}})


def an_authorization_refused(place):
    broken = problem("serverInternal", "we are broken", 500)
    return place.faults({"authorization": broken}, server={"validation": {}})


def a_csr_the_ca_refuses(place):
    return place.faults({"finalize": problem("badCSR", "the key is weak", 400)})


def an_order_that_is_not_ready(place):
    return place.faults({"finalize": problem("orderNotReady", "not yet", 403)})


def a_page_instead_of_the_finalized_order(place):
    return place.faults({"finalize": HTML})


def a_connection_lost_at_finalize(place):
    return place.faults({"finalize": HANG_UP})


def an_order_that_fails_at_the_end(place):
    failed = {
        "status": "invalid",
        "identifiers": [{"type": "dns", "value": "a.example"}],
        "authorizations": ["{url}/authorization/0/0"],
        "finalize": "{url}/finalize/0",
        "error": _reason("caa", "CAA says no at last", 403),
    }
    return place.faults({"finalize": Answer(200, failed), "order": Answer(200, failed)})


def a_certificate_that_cannot_be_had(place):
    return place.faults({"certificate": problem("serverInternal", "it is lost", 500)})


def a_certificate_that_is_none(place):
    answer = Answer(200, "not a certificate", "application/pem-certificate-chain")
    return place.faults({"certificate": answer})


BEHAVIOURS = (
    an_order_over_a_limit,
    a_name_the_ca_rejects,
    subproblems,
    a_problem_of_an_empty_type,
    a_problem_without_a_type,
    a_problem_of_a_foreign_type,
    a_problem_without_a_status,
    a_problem_sent_as_json,
    a_problem_without_a_detail,
    an_internal_error,
    a_page_instead_of_an_order,
    an_order_that_is_no_json,
    a_connection_lost_at_the_order,
    an_account_the_ca_does_not_know,
    an_account_refused,
    a_page_instead_of_an_account,
    a_connection_lost_at_the_account,
    every_nonce_rejected,
    a_page_instead_of_a_nonce,
    a_challenge_refused,
    a_challenge_refused_for_dns,
    a_challenge_refused_for_caa,
    a_challenge_refused_without_a_type,
    a_challenge_refused_with_subproblems,
    two_names_of_three_refused,
    an_authorization_that_is_gone,
    only_challenges_that_are_not_configured,
    an_authorization_refused,
    a_csr_the_ca_refuses,
    an_order_that_is_not_ready,
    a_page_instead_of_the_finalized_order,
    a_connection_lost_at_finalize,
    an_order_that_fails_at_the_end,
    a_certificate_that_cannot_be_had,
    a_certificate_that_is_none,
)


def _reason(kind, detail, status):
    return {"type": ERROR + kind if kind else "", "detail": detail, "status": status}
