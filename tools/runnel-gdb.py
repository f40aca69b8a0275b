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


def type_of(name):
    try:
        return gdb.lookup_type(PREFIX + name)
    except gdb.error:
        raise gdb.GdbError("runnel: the program does not use the library, or its debug information was stripped") from None


def value_of(name):
    """A static variable. Linked with -flto it has an entry per unit, of which only one says where it lies."""
    values = [symbol.value() for symbol in gdb.lookup_static_symbols(PREFIX + name)]
    return next((v for v in values if not v.is_optimized_out), None) or gdb.parse_and_eval(f"'{PREFIX}{name}'")


def loaded(atomic):
    """What a std::atomic holds, whatever the standard library calls it."""
    held = atomic.type.strip_typedefs().template_argument(0)
    return atomic.address.cast(held.pointer()).dereference()


def word(enumerator):
    return str(enumerator).rsplit("::", 1)[-1].replace("_", " ")


def blocks():
    """Every control block that was ever handed out."""
    goroutine = type_of("goroutine").pointer()
    layout = value_of("(anonymous namespace)::slab_layout")
    guard, control, step, steps = (int(layout[i]) for i in range(4))
    table, stack_class = value_of("(anonymous namespace)::classes"), type_of("stack_class")
    classes, slab_pointer = table.address.cast(stack_class.pointer()), type_of("stack_class::slab").pointer()
    for i in range(table.type.sizeof // stack_class.sizeof):
        slot_bytes = (1 << int(classes[i]["size_log2_"])) + guard
        slab = classes[i]["slabs_"].cast(slab_pointer)
        while slab != 0:
            base = int(slab["base"])
            for slot in range(base, base + int(slab["used"]) * slot_bytes, slot_bytes):
                top = slot + slot_bytes - slot // slot_bytes % steps * step
                yield gdb.Value(top - control).cast(goroutine).dereference()
            slab = slab["next"].cast(slab_pointer)


def goroutines():
    alive = [g for g in blocks() if word(loaded(g["state"])) != "dead"]
    return sorted(alive, key=lambda g: int(g["id"]))


def name_of(g):
    name = loaded(g["name"])
    return name.string(errors="replace") if name != 0 else ""


def state_of(g):
    state = word(loaded(g["state"]))
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
        for g in goroutines():
            started = f"started in {caller_at(int(g['created_at']))}" if g["created_at"] != 0 else ""
            print(f"{int(g['id']):>6}  {state_of(g):<22} {name_of(g):<16} {started}".rstrip())


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
        g = next((g for g in goroutines() if int(g["id"]) == int(number)), None)
        if g is None:
            raise gdb.GdbError(f"no goroutine {number}: see info goroutines")
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
