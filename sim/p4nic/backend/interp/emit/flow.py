"""Control flow: a code is cut at the labels somebody jumps to; each stretch becomes a function that
returns the next one.

    Label a                      def c_a(f, pkt, args):
    Branch eq x 1 -> b               if f[7] == 1:
    Move y x                             return c_b
    Label b              →           f[8] = f[7]
    …                                return c_b

A jump backwards goes through `back_LABEL`, which burns fuel, so that no loop runs for ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import assert_never, final

from p4nic.backend.interp.emit import compute, headers, packets
from p4nic.backend.interp.emit import state as stateful
from p4nic.backend.interp.emit.code import CodeWriter, source_text
from p4nic.backend.interp.emit.compute import compare
from p4nic.backend.interp.emit.writer import ModuleText
from p4nic.backend.interp.layout import Layout
from p4nic.backend.interp.state import State
from p4nic.ir import ops
from p4nic.ir.ops import Code, Op
from p4nic.ir.program import Action

ControlOp = (
    ops.Label | ops.Jump | ops.Branch | ops.Switch | ops.Apply | ops.BranchHit | ops.BranchAction | ops.Call
    | ops.Return | ops.Exit
)  # fmt: skip


def targets(op: Op) -> tuple[str, ...]:
    """The labels an instruction may go to."""
    match op:
        case (
            ops.Jump(target)
            | ops.Branch(_, _, _, target)
            | ops.BranchHit(target)
            | ops.BranchAction(_, target)
        ):
            return (target,)
        case ops.Switch(_, cases, default):
            return tuple(c.target for c in cases) + (() if default is None else (default,))
        case _:
            return ()


@final
class CodeEmitter:
    """Writes the functions of one code; `entry` is the function that runs the whole of it."""

    def __init__(
        self, module: ModuleText, layout: Layout, state: State, name: str, code: Code, action: Action | None
    ) -> None:
        self.module = module
        self.state = state
        self.name = name
        self.code = code
        self.in_action = action is not None
        params = {p.name: (i, p.width) for i, p in enumerate(action.params)} if action is not None else {}
        self.out = CodeWriter(module, layout, params, self.in_action)
        self.entry = module.identifier("run", name)
        self._labels = {op.name: i for i, op in enumerate(code) if isinstance(op, ops.Label)}
        self._wanted = {t for op in code for t in targets(op)}
        self._at = 0
        self._selects = 0

    def emit(self) -> None:
        """Write every stretch, then the function that chains them (a single stretch is its own)."""
        stretches = list(self._stretches())
        first = self.module.identifier("run", f"{self.name} start") if len(stretches) > 1 else self.entry
        for number, (label, begin, end) in enumerate(stretches):
            follows = stretches[number + 1][0] if number + 1 < len(stretches) else None
            with self.module.inside(
                f"def {first if label is None else self._function(label)}(f, pkt, args):"
            ):
                self._stretch(begin, end, follows)
            self.module.line("")
        self._backward_doors()
        if len(stretches) > 1:
            with self.module.inside(f"def {self.entry}(f, pkt, args):"):
                self.module.line(f"go = {first}(f, pkt, args)")
                with self.module.inside("while go is not None:"):
                    self.module.line("go = go(f, pkt, args)")
            self.module.line("")

    def _stretches(self) -> Iterator[tuple[str | None, int, int]]:
        """(label or None for the start, first instruction, end)."""
        cuts = [0, *(i for name, i in self._labels.items() if name in self._wanted), len(self.code)]
        for begin, end in pairwise(cuts):
            op = self.code[begin] if begin < end and begin in cuts[1:-1] else None
            yield (op.name if isinstance(op, ops.Label) else None), begin, end

    def _stretch(self, begin: int, end: int, follows: str | None) -> None:
        for self._at in range(begin, end):
            if not self._instruction(self.code[self._at]):
                return  # nothing jumps into the rest of the stretch
        self.module.line(f"return {'None' if follows is None else self._function(follows)}")

    # --- where jumps go ---

    def _function(self, label: str) -> str:
        return self.module.identifier("run", f"{self.name} {label}")

    def _go(self, label: str) -> str:
        """The function a jump from here returns."""
        if self._labels[label] > self._at:
            return self._function(label)
        return self.module.identifier("back", f"{self.name} {label}")

    def _backward_doors(self) -> None:
        for label, position in self._labels.items():
            if any(label in targets(op) for op in self.code[position:]):
                with self.module.inside(
                    f"def {self.module.identifier('back', f'{self.name} {label}')}(f, pkt, args):"
                ):
                    self.module.line("burn(pkt)")
                    self.module.line(f"return {self._function(label)}")
                self.module.line("")

    # --- control instructions ---

    def _branch(self, condition: str, target: str, op: Op) -> None:
        if self.out.traced:
            self.module.line(f"taken = bool({condition})")
            self.out.tell("branch", op.source, f'"taken": taken, "target": {target!r}')
            condition = "taken"
        with self.module.inside(f"if {condition}:"):
            self.module.line(f"return {self._go(target)}")

    def _switch(self, op: ops.Switch) -> None:
        default = "None" if op.default is None else self._go(op.default)
        if self._is_exact(op):
            self._dispatch(op, default)
        else:
            values = ", ".join(self.out.unsigned(k, self.out.shape(k)[0]) for k in op.keys)
            self.module.line(f"v = ({values},)")
            for case in op.cases:
                self._case(case, op)
            if op.default is not None:
                self._tell_choice(op, repr(op.default))
            self.module.line(
                f"return {default}" if op.default is not None else "raise ParserError('NoMatch')"
            )

    def _no_match(self, op: ops.Switch) -> str:
        return f"raise ParserError('NoMatch', {source_text(op.source)})"

    def _is_exact(self, op: ops.Switch) -> bool:
        full = [(1 << self.out.shape(k)[0]) - 1 for k in op.keys]
        return all(
            c.value_set is None and all(m & f == f for m, f in zip(c.masks, full, strict=True))
            for c in op.cases
        )

    def _dispatch(self, op: ops.Switch, default: str) -> None:
        """All cases exact: a dict from values to functions, filled when the module has run."""
        self._selects += 1
        name = self.module.identifier("select", f"{self.name} {self._selects}")
        full = [(1 << self.out.shape(k)[0]) - 1 for k in op.keys]
        chosen: dict[int | tuple[int, ...], ops.Case] = {}
        for case in op.cases:
            values = tuple(v & f for v, f in zip(case.values, full, strict=True))
            chosen.setdefault(values[0] if len(values) == 1 else values, case)
        arms = ", ".join(f"{v!r}: {self._go(c.target)}" for v, c in chosen.items())
        self.module.later(f"{name} = {{{arms}}}")
        keys = [self.out.unsigned(k, self.out.shape(k)[0]) for k in op.keys]
        key = keys[0] if len(keys) == 1 else f"({', '.join(keys)})"
        self.module.line(f"go = {name}.get({key}{', ' + default if op.default is not None else ''})")
        if op.default is None:
            with self.module.inside("if go is None:"):
                self.module.line(self._no_match(op))
        if self.out.traced:
            names = {self._go(c.target): c.target for c in op.cases}
            names |= {default: op.default} if op.default is not None else {}
            shown = ", ".join(f"{function!r}: {label!r}" for function, label in names.items())
            self._tell_choice(op, f"{{{shown}}}[go.__name__]")
        self.module.line("return go")

    def _case(self, case: ops.Case, op: ops.Switch) -> None:
        if case.value_set is not None:
            members = self.module.bind("value_set", case.value_set, self.state.value_sets[case.value_set])
            condition = f"{members}.contains(v)"
        else:
            tests = []
            for i, (value, mask) in enumerate(zip(case.values, case.masks, strict=True)):
                full = (1 << self.out.shape(op.keys[i])[0]) - 1
                if mask & full:
                    tests.append(f"v[{i}] & {mask & full:#x} == {value & mask & full:#x}")
            condition = " and ".join(tests) or "True"
        with self.module.inside(f"if {condition}:"):
            self._tell_choice(op, repr(case.target))
            self.module.line(f"return {self._go(case.target)}")

    def _tell_choice(self, op: ops.Switch, target: str) -> None:
        self.out.tell("branch", op.source, f'"taken": True, "target": {target}')

    def _call(self, op: ops.Call) -> None:
        params = self.state.program.actions[op.action].params
        args = "".join(f"{self.out.unsigned(a, p.width)}, " for a, p in zip(op.args, params, strict=True))
        function = self.module.identifier("run", f"action {op.action}")
        if self.out.traced:
            action = self.module.bind("code", op.action, self.state.actions[op.action])
            self.module.line(f"tell_action(pkt, {action}, ({args}))")
        if self.state.has_direct:
            self.module.line("pkt.direct = pkt.entry")
        self.module.line(f"{function}(f, pkt, ({args}))")

    # --- every instruction; the answer is whether the next one can follow ---

    def _instruction(self, op: Op) -> bool:
        if isinstance(op, compute.ComputeOp):
            compute.write(self.out, op, self.state, f"{self.name} {self._at}")
        elif isinstance(op, headers.HeaderOp):
            headers.write(self.out, op)
        elif isinstance(op, stateful.StateOp):
            stateful.write(self.out, op, self.state)
        elif isinstance(op, packets.PacketOp):
            return packets.write(self.out, op, self.state)
        else:
            return self._control(op)
        return True

    def _control(self, op: ControlOp) -> bool:
        match op:
            case ops.Label(name, kind):
                if kind == "state":
                    self.out.tell("state", op.source, f'"name": {name!r}')
            case ops.Branch(relation, a, b, target):
                self._branch(compare(relation, self.out.read(a), self.out.read(b)), target, op)
            case ops.BranchHit(target, hit):
                self._branch(f"pkt.hit is {'not ' if hit else ''}None", target, op)
            case ops.BranchAction(action, target, ran):
                code = self.module.bind("code", action, self.state.actions[action])
                self._branch(f"pkt.ran is {'' if ran else 'not '}{code}", target, op)
            case ops.Apply(table):
                self.module.line(f"{self.module.identifier('apply', table)}(f, pkt)")
            case ops.Call():
                self._call(op)
            case ops.Jump(target):
                self.module.line(f"return {self._go(target)}")
                return False
            case ops.Switch():
                self._switch(op)
                return False
            case ops.Return():
                self.module.line("return None")
                return False
            case ops.Exit():
                self.module.line("raise ExitBlock" if self.in_action else "return None")
                return False
            case _:
                assert_never(op)
        return True
