"""Python dijitso's side of the table.

Called as `peer.py PART ..` with a private DIJITSO_CACHE_DIR; prints numbers as JSON on its last line.
"""

import json
import sys
import time

start = time.perf_counter()
import dijitso  # noqa: E402  (its import is part of what is measured)

imported = time.perf_counter() - start

TEXTS = {
    "trivial": 'extern "C" int k%05d() { return %d; }\n',
    "cmath11": '#include <cmath>\nextern "C" int d%05d() { volatile double x = %d; return int(std::sqrt(x)); }\n',
}


def load(kind, i):
    """What a program does for one kernel; the library's name is its identity."""

    def generate(jitable, name, signature, params):
        return None, TEXTS[kind] % (i, i), ()

    return dijitso.jit(i, "%s%05d" % (kind, i), None, generate=generate)[0]


def timed(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def memory():
    load("trivial", 1)
    count = 5000

    def generate(*args):
        raise AssertionError("it is in memory")

    def work():
        for _ in range(count):
            dijitso.jit(1, "trivial00001", None, generate=generate)

    work()
    return timed(work) / count


def build(count):
    return timed(lambda: [load("trivial", i) for i in range(int(count))])


def disk(count):
    load("trivial", 0)
    rest = range(1, int(count))
    return timed(lambda: [load("trivial", i) for i in rest]) / len(rest)


def program():
    return timed(lambda: dijitso.extract_factory_function(load("trivial", 1), "k00001"))


def cold(kind, i):
    load(kind, 0)
    return timed(lambda: load(kind, int(i)))


def batch(kind, count):
    return timed(lambda: [load(kind, i) for i in range(int(count))])


def large(name, path, compiler):
    with open(path) as file:
        text = file.read()
    params = {"build": {"cxx": compiler}}
    return timed(lambda: dijitso.jit(name, name, params, generate=lambda *args: (None, text, ())))


def forms(manifest):
    """FFC's modules one after the other, with the parameters that FFC passes."""
    import os

    root = os.path.dirname(manifest)
    with open(manifest) as file:
        manifest = json.load(file)
    modules = {module["name"]: module for module in manifest["modules"]}

    def read(path):
        with open(os.path.join(root, path)) as file:
            return file.read()

    texts = {name: (read(m["header"]), read(m["source"])) for name, m in modules.items()}

    def one(name):
        module = modules[name]
        build = dict(module["build"])
        build["include_dirs"] = [os.path.join(root, directory) for directory in build["include_dirs"]]
        answer = texts[name] + (module["dependencies"],)
        library, _ = dijitso.jit(name, name, {"build": build}, generate=lambda *args: answer)
        assert library is not None, name

    return timed(lambda: [one(name) for name in manifest["order"]])


parts = [memory, build, disk, program, cold, batch, large, forms]
part = {function.__name__: function for function in parts}[sys.argv[1]]
print(json.dumps({"seconds": part(*sys.argv[2:]), "import": imported}))
