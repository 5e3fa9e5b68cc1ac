"""Python dijitso's ranks in the race under `mpirun`, see ranks.rs.

Called on every rank as `peer_mpi.py PART STRATEGY CACHES CACHE ..`. Rank 0 prints each value as JSON as soon as it is known:
this may end at any time by hanging.

dijitso leaves it to the caller to connect `jit` with MPI. It is done here as in its own tests, with the communicators made once, as
the comment at the end of its mpi.py recommends. The strategy `dolfin` is what FEniCS does instead: rank 0 loads first, then
all say whether that worked, then the others load.
"""

import json
import os
import statistics
import sys
import time

from mpi4py import MPI

part, strategy, caches, cache, *rest = sys.argv[1:]
world = MPI.COMM_WORLD
if caches == "separate":
    cache = os.path.join(cache, "rank-%d" % world.rank)
# It is read at every call.
os.environ["DIJITSO_CACHE_DIR"] = cache

import dijitso  # noqa: E402
from dijitso.mpi import create_comms_and_role, receive_binary, send_binary  # noqa: E402
from dijitso.system import make_dirs  # noqa: E402

comm_dir = os.path.join(cache, "comm")
make_dirs(comm_dir)

TEXTS = {
    "trivial": 'extern "C" int k%05d() { return %d; }\n',
    "cmath11": '#include <cmath>\nextern "C" int d%05d() { volatile double x = %d; return int(std::sqrt(x)); }\n',
}


def say(name, value):
    if world.rank == 0:
        print(json.dumps({name: value}), flush=True)


def timed(work):
    """Seconds of the slowest rank; all begin together."""
    world.Barrier()
    start = time.perf_counter()
    work()
    return world.allreduce(time.perf_counter() - start, op=MPI.MAX)


def connected():
    """What `jit` wants to be told, by strategy: made once for all loads."""
    if strategy == "dolfin":
        return None
    copy_comm, wait_comm, role = create_comms_and_role(world, comm_dir, strategy)
    send = receive = wait = None
    if role == "builder" and copy_comm is not None and copy_comm.size > 1:
        send = lambda data: send_binary(copy_comm, data)  # noqa: E731
    elif role == "receiver":
        receive = lambda: receive_binary(copy_comm)  # noqa: E731
    if wait_comm is not None:
        wait = wait_comm.Barrier
    return role, send, receive, wait


def jit(how, number, name, generate):
    if how is not None:
        role, send, receive, wait = how
        generate = generate if role == "builder" else None
        return dijitso.jit(number, name, None, generate=generate, send=send, receive=receive, wait=wait)[0]
    library = None
    if world.rank == 0:
        library = dijitso.jit(number, name, None, generate=generate)[0]
    assert world.allreduce(0, op=MPI.MAX) == 0
    if world.rank != 0:
        library = dijitso.jit(number, name, None, generate=generate)[0]
    return library


def load(how, kind, i, cached=False):
    def generate(jitable, name, signature, params):
        assert not cached, "it is in the cache"
        return None, TEXTS[kind] % (i, i), ()

    def work():
        assert jit(how, i, "%s%05d" % (kind, i), generate) is not None

    seconds = timed(work)
    if world.rank == 0:
        print("loaded", flush=True)
    return seconds


def first_use():
    fresh = world.Dup()
    made = []
    seconds = timed(lambda: made.extend(create_comms_and_role(fresh, comm_dir, strategy)[:2]))
    for comm in made + [fresh]:
        if comm is not None and comm != MPI.COMM_NULL:
            comm.Free()
    return seconds


def fill(kind, warm):
    """Without MPI: a kernel in its cache is known by its name alone."""
    for i in range(int(warm) + 1):
        dijitso.jit(i, "%s%05d" % (kind, i), None, generate=lambda *_: (None, TEXTS[kind] % (i, i), ()))
    world.Barrier()
    say("filled", 1)


def loads(kind, warm, first, cold):
    warm, first, cold = int(warm), int(first), int(cold)
    if strategy != "dolfin":
        say("first use", statistics.median([first_use() for _ in range(10)]))
    how = connected()
    load(how, kind, 0)
    say("warm", statistics.median([load(how, kind, i, cached=True) for i in range(1, warm + 1)]))
    load(how, kind, first)
    say("cold", statistics.median([load(how, kind, i) for i in range(first + 1, first + cold + 1)]))
    # It does not ask the others about what is in memory.
    name, count = "%s%05d" % (kind, first), 1000
    say("not agreed", timed(lambda: [dijitso.jit(first, name, None, wait=True) for _ in range(count)]) / count)


def batch(count, directory):
    how = connected()
    texts = []
    for i in range(int(count)):
        with open(os.path.join(directory, "form%05d.cpp" % i)) as file:
            texts.append(file.read())

    def one(i):
        assert jit(how, i, "form%05d" % i, lambda *_: (None, texts[i], ())) is not None
        if world.rank == 0:
            print("loaded", flush=True)

    say("batch", timed(lambda: [one(i) for i in range(int(count))]))


{"fill": fill, "loads": loads, "batch": batch}[part](*rest)
