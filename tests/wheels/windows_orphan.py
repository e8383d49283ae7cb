"""Run by Python for Windows: ends a program that has an engine; another keeps the engine's pipe open."""

import ctypes
import os
import subprocess
import sys

import pylego._engine

SYNCHRONIZE, WAIT_TIMEOUT = 0x100000, 0x102


def parent():
    pipe, pipes = os.pipe, []
    os.pipe = lambda: pipes.append(pipe()) or pipes[-1]
    pylego._engine.run(pylego._engine.Call("statistics", {}))
    os.pipe = pipe
    _, to_engine = pipes[0]
    os.set_inheritable(os.dup(to_engine), True)
    heir = subprocess.Popen([sys.executable, "-c", "input()"], close_fds=False)
    [engine] = pylego._engine._engines.values()
    print(engine._transport._process.pid, flush=True)
    heir.wait()


def main():
    kernel32 = ctypes.WinDLL("kernel32")
    kernel32.OpenProcess.restype = ctypes.c_void_p
    kernel32.WaitForSingleObject.argtypes = (ctypes.c_void_p, ctypes.c_uint32)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, __file__, "parent"], **pipes) as program:
        engine = kernel32.OpenProcess(SYNCHRONIZE, False, int(program.stdout.readline()))
        print("it lives:", kernel32.WaitForSingleObject(engine, 0) == WAIT_TIMEOUT)
        program.kill()
        print("it ends:", kernel32.WaitForSingleObject(engine, 60_000) == 0)


if __name__ == "__main__":
    parent() if sys.argv[1:] else main()
