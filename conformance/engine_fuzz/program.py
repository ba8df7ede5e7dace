"""A random verified Program.

In: a seed. Out: a Program and what its frames should look like. Called by `life` and `__main__`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

from conformance.engine_fuzz.architectures import BLOCKS, KEPT, PORTS
from conformance.engine_fuzz.code import CodeMaker
from conformance.engine_fuzz.draw import Draw
from conformance.engine_fuzz.objects import Objects, random_objects
from conformance.engine_fuzz.operands import Operands
from conformance.engine_fuzz.parser import ERRORS, ParserMaker, State
from conformance.engine_fuzz.shape import Shape, random_shape
from p4nic.ir import ops
from p4nic.ir.ops import Op
from p4nic.ir.program import Action, Architecture, Block, BlockKind, Program, Table

ARCHITECTURES: tuple[tuple[float, Architecture], ...] = (
    (4, "swx"),
    (4, "v1model"),
    (1.5, "psa"),
    (1.5, "pna"),
)


@final
@dataclass(frozen=True, slots=True)
class Made:
    program: Program
    shape: Shape
    states: tuple[State, ...]


def random_program(seed: int | str) -> Made:
    """The same for the same seed."""
    draw = Draw(f"program {seed}")
    architecture = draw.weighted(ARCHITECTURES)
    shape = random_shape(draw, architecture)
    objects = random_objects(draw, shape)
    _fill_actions(draw, shape, objects)
    maker = _Blocks(draw, shape, objects)
    blocks = {
        name: Block(name, kind, tuple(maker.code(name, kind))) for name, kind in BLOCKS[architecture].items()
    }
    program = Program(
        f"random_{seed}", architecture, shape.types, shape.instances, blocks, objects.actions, objects.tables,
        shape.stacks, shape.unions, objects.profiles, objects.counters, objects.meters, objects.registers,
        objects.digests, objects.value_sets, ERRORS,
    )  # fmt: skip
    return Made(program, shape, tuple(maker.states))


def _fill_actions(draw: Draw, shape: Shape, objects: Objects) -> None:
    learners = {a.action: t for t in objects.tables.values() if t.is_learner for a in t.actions}
    stage = draw.pick(("ingress", "egress"))
    for name, action in list(objects.actions.items()):
        learner = learners.get(name)
        operands = Operands(draw, shape, action.params)
        maker = CodeMaker(draw, operands, objects, "action", learner, stage)
        code = maker.body(draw.between(0, 4))
        if learner is not None:
            code = [*code, *_learner_habit(draw, operands, objects, learner, name)]
        if draw.chance(0.4):
            code.append(_send(draw, objects.architecture, operands))
        objects.actions[name] = replace(action, code=tuple(code))


def _learner_habit(draw: Draw, operands: Operands, objects: Objects, learner: Table, name: str) -> list[Op]:
    """What such actions usually do: learn on a miss, restart the timer on a hit."""
    if draw.chance(0.2):
        return []
    if name.endswith("_hit"):
        return [ops.Rearm(None)]
    hit = learner.actions[0].action
    args = tuple(operands.operand() for _ in objects.actions[hit].params)
    return [ops.Learn(hit, args, ops.Const(draw.below(8), 8))]


def _send(draw: Draw, architecture: Architecture, operands: Operands) -> Op:
    """Choose a port: a small one mostly."""
    if draw.chance(0.7):
        return ops.Move(PORTS[architecture], ops.Const(draw.below(8), 8))
    return ops.Move(PORTS[architecture], operands.operand(32, signed=False))


@final
class _Blocks:
    """Writes the blocks of one program; `states` are those of the first parser."""

    def __init__(self, draw: Draw, shape: Shape, objects: Objects) -> None:
        self.draw = draw
        self.shape = shape
        self.objects = objects
        self.states: list[State] = []

    def code(self, name: str, kind: BlockKind) -> list[Op]:
        operands = Operands(self.draw, self.shape)
        match kind:
            case "parser":
                return self._parser(operands, "")
            case "deparser":
                return self._deparser()
            case "pipeline":
                return self._pipeline(operands)
            case "control":
                return self._control(name, operands)

    def _parser(self, operands: Operands, done: str) -> list[Op]:
        maker = ParserMaker(self.draw, operands, self.objects, "p_", done)
        code = maker.code()
        self.states = self.states or maker.states
        return code

    def _deparser(self) -> list[Op]:
        emitted = [*self.shape.headers]
        for stack in self.shape.stacks.values():
            elements = [f"{stack.name}[{i}]" for i in range(stack.size)]
            at = self.draw.below(len(emitted) + 1)
            emitted[at:at] = elements
        if self.draw.chance(0.3):
            self.draw.random.shuffle(emitted)
        return [ops.Emit(h) for h in emitted if self.draw.chance(0.95)]

    def _maker(self, operands: Operands, kind: str, stage: str) -> CodeMaker:
        plain = tuple(a.name for a in self.objects.actions.values() if not a.name.startswith("t"))
        callable_ = tuple(a for a in plain if _may_call(self.objects.actions[a]))
        return CodeMaker(self.draw, operands, self.objects, kind, None, stage, callable_)

    def _control(self, name: str, operands: Operands) -> list[Op]:
        first = name in ("ingress", "main_control")
        maker = self._maker(operands, "control", name)
        if name in ("verify_checksum", "compute_checksum"):
            return maker._compute.any() if self.draw.chance(0.5) else []
        code: list[Op] = []
        if first:
            architecture = self.objects.architecture
            if architecture in KEPT:
                code.append(ops.Move(KEPT[architecture], ops.Const(0, 1)))
            code.append(_send(self.draw, architecture, operands))
            code += [ops.Apply(t) for t in self.objects.tables if self.draw.chance(0.8)]
        code += maker.body(self.draw.between(1, 8) if first else self.draw.below(4))
        return code

    def _pipeline(self, operands: Operands) -> list[Op]:
        receive = ops.Receive(ops.Ref("m", self.draw.pick(("m0", "m1", "byte"))))
        code: list[Op] = [receive, *self._parser(operands, "p_done")]
        operands.known = {}
        code.append(_send(self.draw, "swx", operands))
        code += [ops.Apply(t) for t in self.objects.tables if self.draw.chance(0.8)]
        code += self._maker(operands, "pipeline", "ingress").body(self.draw.between(2, 9))
        code += self._deparser()
        out = PORTS["swx"] if self.draw.chance(0.8) else operands.operand(32, signed=False)
        return [*code, ops.Transmit(out)] if self.draw.chance(0.97) else code


def _may_call(action: Action) -> bool:
    """Whether an action can run outside of a table: not what needs the entry of one."""
    return not any(isinstance(op, ops.Learn | ops.Rearm | ops.Forget) for op in action.code)
