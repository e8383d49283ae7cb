"""Records what pylego 0.1.49 does, into recorded.json: the table that test_recorded.py plays again.

    python3 -m venv /somewhere/old
    /somewhere/old/bin/pip install pylego==0.1.49
    python -m tests.dropin.record /somewhere/old/bin/python

With names of behaviours after it, only those are recorded anew. Some take 0.1.49
minutes; they run side by side.
"""

import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.dropin.behaviours import BEHAVIOURS
from tests.dropin.normal import normalised
from tests.dropin.place import Place

RECORDED = Path(__file__).with_name("recorded.json")
PATIENCE = 150
"""Seconds after which 0.1.49 counts as never answering."""


def main(python, *names):
    table = json.loads(RECORDED.read_text()) if RECORDED.exists() else {}
    chosen = [each for each in BEHAVIOURS if not names or each.__name__ in names]
    with ThreadPoolExecutor(8) as pool:
        recorded = pool.map(lambda behaviour: record(python, behaviour), chosen)
        for behaviour, outcome in zip(chosen, recorded, strict=True):
            table[behaviour.__name__] = outcome
            sys.stdout.write(f"{behaviour.__name__}: {json.dumps(outcome)}\n")
    known = [each.__name__ for each in BEHAVIOURS]
    table = {name: table[name] for name in known if name in table}
    RECORDED.write_text(json.dumps(table, indent=1) + "\n")


def record(python, behaviour):
    """Play a behaviour to 0.1.49, in a process of its own: it keeps what one call has set."""
    with tempfile.TemporaryDirectory() as folder, behaviour(Place(Path(folder))) as arguments:
        try:
            ended = subprocess.run(
                [python, Path(__file__).with_name("outcome.py")],
                input=json.dumps(arguments),
                capture_output=True,
                text=True,
                timeout=PATIENCE,
                check=False,
                env={"PATH": os.environ["PATH"]},
            )
        except subprocess.TimeoutExpired:
            return {"no answer": f"within {PATIENCE} s"}
    if ended.returncode:
        # The last line of the traceback, or of Go's.
        return {"raised": normalised(ended.stderr.strip().splitlines()[-1])}
    return normalised(json.loads(ended.stdout))


if __name__ == "__main__":
    main(*sys.argv[1:])
