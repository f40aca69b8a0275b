"""gdb commands for goroutines. Load with:  source tools/runnel-gdb.py

info goroutines        all of them: number, state or what it waits for, name, where it was started
goroutine N COMMAND    runs COMMAND, such as bt, as if goroutine N ran: on its own stack, or on the thread that runs it

The second needs a process: on a core file gdb cannot change registers, so it serves for goroutines that were running.
"""
import re

import gdb

PREFIX = "runnel::detail::"
LIBRARIES = re.compile(r"(^|/)runnel/(detail/)?\w+\.hpp$|/c\+\+/")
# How a suspended context lies on its stack (src/arch/*/switch.S): bytes of it, and where each register is.
CONTEXTS = {
    "x86-64": (64, {"r15": 8, "r14": 16, "r13": 24, "r12": 32, "rbx": 40, "rbp": 48, "pc": 56}),
    "aarch64": (192, {**{f"x{19 + i}": 8 * i for i in range(12)}, "pc": 88}),
}


def all_seeds_symbol():
    """In src/sched/switch.cpp, the one file of the library that always has debug information, with all types that are
    needed. Linked with -flto a variable has an entry per unit, of which only one says where it lies."""
    found = gdb.lookup_static_symbols(PREFIX + "(anonymous namespace)::all_seeds")
    symbol = next((s for s in found if not s.value().is_optimized_out), None)
    if symbol is None:
        raise gdb.GdbError("runnel: the program does not use the library, or its debug information was stripped")
    return symbol


TYPES = {}


def type_of(name):
    if name not in TYPES:
        TYPES[name] = gdb.lookup_type(PREFIX + name)
    return TYPES[name]


def remember_types(event=None):
    """Before the program stops anywhere: linked with -flto, gdb may later find types that are not whole."""
    TYPES.clear()
    try:
        for name in ("goroutine", "seed", "seed_store::slab"):
            type_of(name)
    except gdb.error:
        pass  # this file does not have them


def loaded(atomic, held=None):
    """What a std::atomic of `held` holds, whatever the standard library calls it. `held` has to be given for pointers:
    linked with -flto, gdb does not know their atomics to be templates."""
    held = held or atomic.type.strip_typedefs().template_argument(0)
    return atomic.address.cast(held.pointer()).dereference()


def word(enumerator):
    return str(enumerator).rsplit("::", 1)[-1].replace("_", " ")


def all_seeds():
    """Every seed that was made, in use or not."""
    store = all_seeds_symbol().value().dereference()
    slab_type = type_of("seed_store::slab").pointer()
    slab = loaded(store["slabs_"], slab_type)
    while slab != 0:
        seeds = slab["room"].address.cast(type_of("seed").pointer())
        yield from (seeds[i] for i in range(int(loaded(slab["used"], gdb.lookup_type("unsigned int")))))
        slab = slab["next"].cast(slab_type)


def goroutines():
    return sorted((s for s in all_seeds() if loaded(s["alive"], gdb.lookup_type("bool"))), key=lambda s: int(s["id"]))


def body_of(seed):
    """The goroutine on its stack; None: it has not begun."""
    body = loaded(seed["body"], type_of("goroutine").pointer())
    return body.dereference() if body != 0 else None


def name_of(seed):
    name = loaded(seed["name"], gdb.lookup_type("char").pointer())
    return name.string(errors="replace") if name != 0 else ""


def state_of(seed):
    g = body_of(seed)
    state = word(loaded(g["state"])) if g is not None else "runnable"
    return word(loaded(g["reason"])) if state in ("waiting", "scanning") else state


def caller_at(pc):
    """The function of the program that made the call which returns to `pc`: the library's own are inlined there."""
    block = gdb.block_for_pc(pc - 1)
    while block is not None:
        function = block.function
        if function is not None and not LIBRARIES.search(function.symtab.filename):
            return f"{function.print_name} ({function.symtab.filename}:{function.line})"
        block = block.superblock
    return gdb.execute(f"info symbol {pc - 1}", to_string=True).split(" in section")[0].strip()


class InfoGoroutines(gdb.Command):
    """All goroutines: number, state or what it waits for, name, where it was started."""

    def __init__(self):
        super().__init__("info goroutines", gdb.COMMAND_STATUS)

    def invoke(self, arguments, from_tty):
        for s in goroutines():
            started = f"started in {caller_at(int(s['created_at']))}" if s["created_at"] != 0 else ""
            print(f"{int(s['id']):>6}  {state_of(s):<22} {name_of(s):<16} {started}".rstrip())


class Suspended:
    """While it lasts, the selected thread's registers are those of a context that waits at `sp`."""

    def __init__(self, sp):
        architecture = gdb.selected_frame().architecture().name()
        found = [c for name, c in CONTEXTS.items() if architecture.endswith(name)]
        if not found:
            raise gdb.GdbError(f"runnel: contexts on {architecture} are not known")
        size, self.slots = found[0]
        self.sp, self.top = sp, sp + size

    def __enter__(self):
        self.before = [(r, int(gdb.parse_and_eval(f"(unsigned long)${r}"))) for r in ("sp", *self.slots)]
        word_type = gdb.lookup_type("unsigned long").pointer()
        try:
            for register, offset in self.slots.items():
                at = gdb.Value(self.sp + offset).cast(word_type).dereference()
                gdb.execute(f"set ${register} = {int(at)}")
            gdb.execute(f"set $sp = {self.top}")
        except gdb.error as e:
            raise gdb.GdbError(f"runnel: {e}") from None

    def __exit__(self, *_):
        for register, was in self.before:
            gdb.execute(f"set ${register} = {was}")


def thread_on(g):
    """The thread that is on the goroutine's stack."""
    low, high = int(g["low"]), int(g.address)
    for thread in gdb.selected_inferior().threads():
        thread.switch()
        gdb.execute("frame 0", to_string=True)
        if low <= int(gdb.parse_and_eval("(unsigned long)$sp")) < high:
            return thread
    return None


class Goroutine(gdb.Command):
    """goroutine N COMMAND: runs COMMAND, such as bt, as if goroutine N ran."""

    def __init__(self):
        super().__init__("goroutine", gdb.COMMAND_STACK, gdb.COMPLETE_NONE)

    def invoke(self, arguments, from_tty):
        number, _, command = arguments.strip().partition(" ")
        if not number.isdigit() or not command:
            raise gdb.GdbError("goroutine N COMMAND: a number (see info goroutines) and a command such as bt")
        seed = next((s for s in goroutines() if int(s["id"]) == int(number)), None)
        if seed is None:
            raise gdb.GdbError(f"no goroutine {number}: see info goroutines")
        g = body_of(seed)
        if g is None:
            raise gdb.GdbError(f"goroutine {number} has not begun to run")
        thread, frame = gdb.selected_thread(), gdb.selected_frame()
        try:
            self.run_on(g, command)
        finally:
            thread.switch()
            frame.select()

    def run_on(self, g, command):
        if thread_on(g) is not None:
            gdb.execute(command)
        elif g["sp"] == 0:
            raise gdb.GdbError("runnel: it is changing stacks just now")
        else:
            with Suspended(int(g["sp"])):
                gdb.execute(command)


InfoGoroutines()
Goroutine()
gdb.events.new_objfile.connect(remember_types)
remember_types()
