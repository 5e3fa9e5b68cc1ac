"""Prints every public name of the installed Python dijitso, as tests/python/names.txt lists them."""

import importlib
import inspect
import re

MODULES = "build cache cmdline jit log mpi params signatures str system __main__ __init__".split()

lines = set()
for module in MODULES:
    name = "dijitso" if module == "__init__" else "dijitso." + module
    found = vars(importlib.import_module(name))
    if module == "__init__":
        names = found["__all__"]
    else:
        names = [n for n, v in found.items()
                 if (inspect.isfunction(v) or inspect.isclass(v)) and v.__module__ == name or n.isupper()]
    lines |= {"%s.%s" % (module, n) for n in names if not n.startswith("_")}
    source = inspect.getsource(importlib.import_module(name))
    lines |= {"[env] " + a for a in re.findall(r'(?:environ\.get|getenv)\("(\w+)"', source)}

import dijitso.__main__ as main
import dijitso.cmdline as cmdline
from dijitso.jit import jit
from dijitso.params import default_params

for category, keys in default_params().items():
    lines |= {"[%s] %s" % (category, key) for key in keys}
lines |= {"[jit] " + argument for argument in inspect.signature(jit).parameters}


def options(parser):
    return [o for a in parser._actions for o in a.option_strings if o.startswith("--") and o != "--help"]


top, _, parsers = main.build_parsers(*main.build_commands(vars(cmdline)))
lines |= {"[cli] " + option for option in options(top)}
for command, parser in parsers.items():
    lines |= {"[cli] %s" % command} | {"[cli] %s %s" % (command, option) for option in options(parser)}

print("\n".join(sorted(lines)))
