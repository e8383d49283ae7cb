"""Run by Python for Windows: tells who has a file open that anybody may inherit, and how we start `lego`."""

import msvcrt
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pylego._engine

flags = []


class Recorded(subprocess.Popen):
    def __init__(self, *args, **settings):
        flags.append(settings["creationflags"])
        super().__init__(*args, **settings)


def can_be_removed():
    """Windows refuses that while any process has the file open."""
    try:
        path.unlink()
    except PermissionError:
        return False
    return True


path = Path(tempfile.mkdtemp(), "file")
ours = os.open(path, os.O_CREAT | os.O_WRONLY)
os.set_handle_inheritable(msvcrt.get_osfhandle(ours), True)
heir = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=False)
subprocess.Popen = Recorded
pylego._engine.run(pylego._engine.Call("statistics", {}))
os.close(ours)
print("an heir keeps it:", not can_be_removed())
heir.communicate(b"\n")
print("the engine does not:", can_be_removed())
print("its flags:", [hex(each) for each in flags])
