"""The public names are one sorted list, and nothing else."""

import importlib
import inspect
import pkgutil
import subprocess
import sys
from typing import get_args, get_origin

import pylego
import pylego.testing


def exported(module):
    """List what a module shows; some of it is loaded by that."""
    return {
        name
        for name in dir(module)
        if not name.startswith("_") and not inspect.ismodule(getattr(module, name))
    }


def test_the_list_of_public_names_is_what_the_module_has():
    assert exported(pylego) == set(pylego.__all__)


def test_the_list_is_sorted_constants_classes_functions():
    constants = [name for name in pylego.__all__ if name.upper() == name]
    rest = [name for name in pylego.__all__ if name.upper() != name]
    assert pylego.__all__ == sorted(constants) + sorted(rest)


def test_the_module_of_the_drop_in_is_an_attribute():
    assert pylego.pylego.run_lego_command is pylego.run_lego_command


def test_every_public_name_has_a_docstring():
    for name in pylego.__all__:
        value = getattr(pylego, name)
        alias = get_origin(value) is not None  # whose docstring stands below the name
        if not alias and (inspect.isclass(value) or inspect.isroutine(value)):
            assert inspect.getdoc(value), name


def test_the_names_of_renewal_are_a_list_that_can_be_used():
    assert pylego.Manager is pylego.renewal.Manager
    for name in pylego.renewal.__all__:
        assert inspect.getdoc(getattr(pylego.renewal, name)), name


def test_types_to_annotate_with_exist_at_run_time():
    assert pylego.Solver in get_args(pylego.Challenges)
    assert isinstance(pylego.HTTP01(), pylego.Challenge)
    assert get_args(pylego.EventCallback) == ([pylego.Event], object)


def test_the_public_modules_are_attributes_without_being_imported():
    names = ["dns", "dns_persist", "renewal", "storage"]
    source = f"import pylego; print(*[getattr(pylego, name).__name__ for name in {names}])"
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, check=True, text=True
    )
    assert done.stdout.split() == [f"pylego.{name}" for name in names]


def test_every_module_can_be_imported():
    for module in pkgutil.walk_packages(pylego.__path__, "pylego."):
        importlib.import_module(module.name)
