"""Reads STF: text in, statements out; InputError with file and line. Called by `runner.run_text` and tests.

The statements are those of p4c's own harness, and a few of ours (docs/stf.md lists them). One statement a
line; `#` starts a comment; keywords in either case.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal, NoReturn, cast

from p4nic.errors import InputError
from p4nic.stf.statements import (
    Add,
    CallText,
    Check,
    CheckCounter,
    CheckEntries,
    CheckRegister,
    Command,
    Expect,
    ExpectDigest,
    GroupAdd,
    MemberAdd,
    NoPacket,
    Packet,
    Rates,
    Relation,
    Remove,
    SetDefault,
    Statement,
    Target,
    Value,
    ValueSetAdd,
    Wait,
)

SECOND = 1_000_000_000
_UNITS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": SECOND, "m": 60 * SECOND, "h": 3600 * SECOND}
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<comment>\#.*)
    | (?P<quoted>"[^"]+")
    | (?P<duration>\d+(?:ns|us|ms|s|m|h)\b)
    | (?P<number>0[xX][0-9a-fA-F*]+|0[bB][01*]+|\d+\.\d+|\d+)
    | (?P<name>[A-Za-z_$][\w$]*)
    | (?P<sign>&&&|\.\.|->|==|!=|<=|>=|[<>:,.()\[\]=/*])
    )""",
    re.VERBOSE,
)
# Statements that p4c's harness passes to simple_switch_CLI: how many numbers follow, and whether a name does.
_COMMANDS: dict[str, tuple[bool, int, int]] = {
    "mirroring_add": (False, 2, 2),
    "mirroring_add_mc": (False, 2, 2),
    "mirroring_delete": (False, 1, 1),
    "mirroring_get": (False, 1, 1),
    "mc_mgrp_create": (False, 1, 1),
    "mc_node_create": (False, 1, 4096),
    "mc_node_update": (False, 1, 4096),
    "mc_node_associate": (False, 2, 2),
    "counter_read": (True, 1, 1),
    "counter_write": (True, 3, 3),
    "register_read": (True, 1, 1),
    "register_write": (True, 2, 2),
    "register_reset": (True, 0, 0),
    "meter_get_rates": (True, 1, 1),
}


def parse(text: str, file: str) -> list[Statement]:
    """The statements of a file, in its order; `file` names it in messages."""
    statements = []
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        if bare and not bare.startswith("#"):
            statements.append(_Line(file, number, bare).statement())
    return statements


class _Line:
    """One line with a cursor over its tokens."""

    def __init__(self, file: str, number: int, text: str) -> None:
        self._place = f"{file}:{number}"
        self._number = number
        self._text = text
        self._tokens: list[tuple[str, str]] = []
        self._at = 0

    def fail(self, sentence: str) -> NoReturn:
        raise InputError(f"{self._place}: {sentence}, in `{self._text[:100]}`")

    def statement(self) -> Statement:
        keyword, _, rest = self._text.partition(" ")
        if keyword.lower() in ("packet", "expect"):
            return self._traffic(keyword.lower(), rest.partition("#")[0])
        self._tokenize()
        word = self._take("name", "a statement").lower()
        if word in _COMMANDS:
            made = self._command(word)
        elif (reader := _READERS.get(word)) is not None:
            made = reader(self)
        else:
            known = ", ".join(sorted([*_READERS, *_COMMANDS, "packet", "expect"]))
            self.fail(f'"{word}" is no STF statement; there are {known}')
        if self._at < len(self._tokens):
            self.fail(f'"{self._tokens[self._at][1]}" is one word too many')
        return made

    # --- packets -----------------------------------------------------------------------------------------

    def _traffic(self, keyword: str, rest: str) -> Statement:
        words = rest.split()
        if not words or not words[0].isdecimal():
            self.fail(f"{keyword} needs a port number first")
        port, digits = int(words[0]), "".join(words[1:])
        if keyword == "packet":
            return Packet(self._number, port, self._bytes(digits))
        exact = digits.endswith("$")
        pattern = digits.removesuffix("$").lower()
        if bad := re.search(r"[^0-9a-f*]", pattern):
            self.fail(f'"{bad[0]}" is neither a hex digit nor *')
        return Expect(self._number, port, pattern, exact)

    def _bytes(self, digits: str) -> bytes:
        try:
            return bytes.fromhex(digits)
        except ValueError:
            bad = re.search(r"[^0-9a-fA-F]", digits)
            self.fail(f'"{bad[0]}" is no hex digit' if bad else f"{len(digits)} digits make no whole bytes")

    # --- tokens ------------------------------------------------------------------------------------------

    def _tokenize(self) -> None:
        at = 0
        while at < len(self._text):
            found = _TOKEN.match(self._text, at)
            if found is None:
                self.fail(f'"{self._text[at:].strip()[:1]}" cannot stand here')
            at = found.end()
            kind = str(found.lastgroup)
            if kind != "comment":
                self._tokens.append((kind, found[kind]))

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "the end of the line")

    def _take(self, kind: str, what: str) -> str:
        found, text = self._peek()
        if found != kind:
            self.fail(f"{what} is missing before {text}")
        self._at += 1
        return text

    def _sign(self, *signs: str) -> str:
        """The sign that stands here if it is one of `signs`, taken; else ""."""
        kind, text = self._peek()
        if kind == "sign" and text in signs:
            self._at += 1
            return text
        return ""

    def _need(self, sign: str) -> None:
        if not self._sign(sign):
            self.fail(f'"{sign}" is missing before {self._peek()[1]}')

    def number(self, what: str = "a number") -> int:
        text = self._take("number", what)
        try:
            return int(text, 10) if text.isdecimal() else int(text, 0)
        except ValueError:
            self.fail(f'"{text}" is no whole number')

    def numbers(self) -> tuple[int, ...]:
        found = []
        while self._peek()[0] == "number":
            found.append(self.number())
        return tuple(found)

    def name(self, what: str) -> str:
        """`a.b[2].$valid$`, or a quoted name."""
        if self._peek()[0] == "quoted":
            return self._take("quoted", what).strip('"')
        text = self._take("name", what)
        while sign := self._sign(".", "["):
            if sign == ".":
                text += "." + self._take("name", "a name")
            else:
                text += f"[{self.number()}]"
                self._need("]")
        return text

    def value(self) -> Value:
        if self._sign("*"):
            return Value("*")
        digits = self._take("number", "a value")
        operator = self._sign("/", "&&&", "..")
        return Value(digits, operator, self._take("number", "the second number") if operator else "")

    def call(self) -> CallText:
        action = self.name("an action")
        self._need("(")
        args: list[tuple[str, int]] = []
        while not self._sign(")"):
            if args:
                self._need(",")
            name = ""
            if self._peek()[0] in ("name", "quoted"):
                name = self.name("an argument")
                self._need(":")
            args.append((name, self.number("an argument")))
        return CallText(action, tuple(args))

    def check(self, kinds: bool) -> Check | None:
        """`packets == 3`, or without the word; None at the end of the line."""
        if self._peek()[0] == "end":
            return None
        kind: Literal["packets", "bytes", ""] = ""
        if kinds:
            word = self._take("name", "packets or bytes").lower()
            if word not in ("packets", "bytes"):
                self.fail(f'"{word}" is neither packets nor bytes')
            kind = "packets" if word == "packets" else "bytes"
        relation = self._sign("==", "!=", "<", "<=", ">", ">=")
        if not relation:
            self.fail(f"a comparison (== != < <= > >=) is missing before {self._peek()[1]}")
        return Check(kind, cast(Relation, relation), self.number())

    def entry_id(self) -> str:
        return self._take("name", "an entry's id").removeprefix("$")

    # --- statements --------------------------------------------------------------------------------------

    def add(self) -> Statement:
        table = self.name("a table")
        priority = None
        if self._peek()[0] == "number":
            priority = self.number()
        matches: list[tuple[str, Value]] = []
        action: CallText | Target | None = None
        while action is None:
            if self._sign("->"):
                action = self._target()
                break
            start = self._at
            name = self.name("a match or an action")
            if self._sign(":"):
                matches.append((name, self.value()))
            else:
                self._at = start
                action = self.call()
        label = self.entry_id() if self._sign("=") else ""
        return Add(self._number, table, priority, tuple(matches), action, label)

    def _target(self) -> Target:
        word = self._take("name", "member or group").lower()
        if word not in ("member", "group"):
            self.fail(f'"{word}" is neither member nor group')
        return Target("member" if word == "member" else "group", self.number())

    def remove(self) -> Statement:
        label = self.entry_id()
        return Remove(self._number, None if label.lower() == "all" else label)

    def set_default(self) -> Statement:
        return SetDefault(self._number, self.name("a table"), self.call())

    def no_packet(self) -> Statement:
        return NoPacket(self._number, self.number() if self._peek()[0] == "number" else None)

    def wait(self) -> Statement:
        if self._peek()[0] == "end":
            return Wait(self._number, SECOND)
        text = self._take("duration", "a duration such as 500ms")
        figure, unit = re.fullmatch(r"(\d+)(\w+)", text).groups()  # type: ignore[union-attr]
        return Wait(self._number, int(figure) * _UNITS[unit])

    def check_counter(self) -> Statement:
        name = self.name("a counter")
        self._need("(")
        index: int | str = self.number() if self._peek()[0] == "number" else self.entry_id()
        self._need(")")
        return CheckCounter(self._number, name, index, self.check(kinds=True))

    def check_register(self) -> Statement:
        name = self.name("a register")
        self._need("(")
        index = self.number()
        self._need(")")
        return CheckRegister(self._number, name, index, self.check(kinds=False))

    def check_entries(self) -> Statement:
        table = self.name("a table")
        check = self.check(kinds=False)
        if check is None:
            self.fail("check_entries needs a comparison, for example == 3")
        return CheckEntries(self._number, table, check)

    def expect_digest(self) -> Statement:
        return ExpectDigest(self._number, self.name("a digest"), self.numbers())

    def value_set(self) -> Statement:
        name = self.name("a value set")
        values = [self.value()]
        while self._sign(","):
            values.append(self.value())
        return ValueSetAdd(self._number, name, tuple(values))

    def member(self) -> Statement:
        return MemberAdd(self._number, self.name("a profile"), self.number(), self.call())

    def group(self) -> Statement:
        profile, group = self.name("a profile"), self.number()
        members = []
        while self._peek()[0] == "number":
            member = self.number()
            members.append((member, self.number() if self._sign(":") else 1))
        return GroupAdd(self._number, profile, group, tuple(members))

    def rates(self, indexed: bool) -> Statement:
        meter = self.name("a meter")
        index: int | str | None = None
        if indexed:
            index = self.number() if self._peek()[0] == "number" else self.entry_id()
        rates = []
        while self._peek()[0] == "number":
            rate = float(self._take("number", "a rate"))
            self._need(":")
            rates.append((rate, self.number("a burst")))
        if len(rates) not in (1, 2):
            self.fail("a meter takes one or two RATE:BURST")
        return Rates(self._number, meter, index, tuple(rates))

    def _command(self, word: str) -> Statement:
        named, low, high = _COMMANDS[word]
        name = self.name("a name") if named else ""
        numbers = self.numbers()
        if not low <= len(numbers) <= high:
            self.fail(f"{word} takes {low if low == high else f'at least {low}'} numbers, not {len(numbers)}")
        return Command(self._number, word, name, numbers)


_READERS: dict[str, Callable[[_Line], Statement]] = {
    "add": _Line.add,
    "remove": _Line.remove,
    "setdefault": _Line.set_default,
    "no_packet": _Line.no_packet,
    "wait": _Line.wait,
    "check_counter": _Line.check_counter,
    "check_register": _Line.check_register,
    "check_entries": _Line.check_entries,
    "expect_digest": _Line.expect_digest,
    "value_set_add": _Line.value_set,
    "member_add": _Line.member,
    "group_add": _Line.group,
    "meter_set_rates": lambda line: line.rates(indexed=True),
    "meter_array_set_rates": lambda line: line.rates(indexed=False),
}
