"""One call of run_lego_command, told as data: by whichever pylego is imported.

As a program it reads the arguments as JSON and prints the outcome as JSON, in an
environment that need not have anything but a pylego.
"""

import dataclasses
import json
import sys

import pylego
import pylego.pylego


def outcome(arguments):
    """Call run_lego_command and return every attribute of its answer or error."""
    arguments = {**arguments, "csr": arguments["csr"].encode()}
    try:
        return {"answer": dataclasses.asdict(pylego.run_lego_command(**arguments))}
    except pylego.LEGOError as error:
        return {"error": attributes(error)}


def attributes(error):
    return {
        "type": error.type,
        "code": error.code,
        "status": error.status,
        "detail": error.detail,
        "acme_type": error.acme_type,
        "subproblems": [dataclasses.asdict(subproblem) for subproblem in error.subproblems],
        "info": error.info,
        "str": str(error),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(outcome(json.load(sys.stdin))))
