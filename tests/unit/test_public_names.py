"""The public names are one sorted list, and nothing else."""

import importlib
import inspect
import pkgutil

import pylego
import pylego.testing


def exported(module):
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and not inspect.ismodule(value)
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
        assert inspect.getdoc(getattr(pylego, name)), name


def test_every_module_can_be_imported():
    for module in pkgutil.walk_packages(pylego.__path__, "pylego."):
        importlib.import_module(module.name)
