"""What functions take for a client of one call is what the client takes."""

import ast
import inspect

import pytest

import pylego
from pylego import _functions


def written():
    """Read the classes of settings, which only type checkers see, as they are written."""
    fields = {}
    for node in ast.walk(ast.parse(inspect.getsource(_functions))):
        if isinstance(node, ast.ClassDef):
            fields[node.name] = dict(fields.get(ast.unparse(node.bases[0]), {}))
            fields[node.name] |= {
                each.target.id: ast.unparse(each.annotation)
                for each in node.body
                if isinstance(each, ast.AnnAssign)
            }
    return fields


def taken(method, *, but=()):
    """List a method's keywords and their types, but for those that the function itself has."""
    return {
        each.name: each.annotation
        for each in inspect.signature(method).parameters.values()
        if each.kind is each.KEYWORD_ONLY and each.name not in but
    }


@pytest.mark.parametrize(
    ("settings", "method"),
    [("NewOrder", pylego.Client.obtain), ("Order", pylego.Client.renew)],
    ids=["obtain", "renew"],
)
def test_they_take_the_settings_of_the_client_and_of_its_method(settings, method):
    both = taken(pylego.Client.__init__) | taken(method, but={"challenges"})
    assert written()[settings] == both


def test_revoke_takes_the_settings_of_the_client():
    assert written()["Settings"] == taken(pylego.Client.__init__)
    own = taken(_functions.revoke, but={"directory"})
    assert own == taken(pylego.Client.revoke, but={"timeout"})
