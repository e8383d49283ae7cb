"""Where the two files are that Go has built."""

import os

FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "_bin")
LIBRARY = os.path.join(FOLDER, "lego.so")
EXECUTABLE = os.path.join(FOLDER, "lego.exe" if os.name == "nt" else "lego")
