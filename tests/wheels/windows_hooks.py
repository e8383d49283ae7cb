"""Run by Python for Windows: stops a hook, a shell, whose program holds its pipes and would never end."""

import ctypes
import logging
import sys
import threading

from pylego import Cancelled
from pylego.renewal import About, Hook
from pylego.renewal._hooks import run_hook

SYNCHRONIZE, WAIT_TIMEOUT = 0x100000, 0x102

LASTING = "import os, threading; print(os.getpid(), flush=True); threading.Event().wait()"


class FirstLine(logging.Handler):
    """Stops the hook when its program has told its number."""

    def __init__(self):
        super().__init__()
        self.stop = threading.Event()

    def emit(self, record):
        self.program = kernel32.OpenProcess(SYNCHRONIZE, False, int(record.args[1]))
        print("it lives:", kernel32.WaitForSingleObject(self.program, 0) == WAIT_TIMEOUT)
        self.stop.set()


kernel32 = ctypes.WinDLL("kernel32")
kernel32.OpenProcess.restype = ctypes.c_void_p
kernel32.WaitForSingleObject.argtypes = (ctypes.c_void_p, ctypes.c_uint32)

heard = FirstLine()
logging.getLogger("pylego").addHandler(heard)
logging.getLogger("pylego").setLevel(logging.INFO)
hook = Hook(("cmd", "/c", sys.executable, "-c", LASTING), timeout=600)
about = About("a.example", ("a.example",), "EC256", "https://ca.example/directory", "me")
try:
    run_hook(hook, about, stop=heard.stop)
except Cancelled as error:
    print(error.code)
print("it ends:", kernel32.WaitForSingleObject(heard.program, 60_000) == 0)
