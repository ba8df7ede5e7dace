"""In which order Items can run, and which are in loops.

In: for each Item the Items that may follow. Out: ranks that grow along every way through code without loops
(an artifact's own order may jump back and forth), and the Items of each loop.
"""

from __future__ import annotations

from collections.abc import Sequence


def finishing_order(follow: Sequence[Sequence[int]], starts: Sequence[int]) -> list[int]:
    """Items as a depth-first walk leaves them; unreachable ones are missing."""
    seen = [False] * len(follow)
    left: list[int] = []
    for start in starts:
        if seen[start]:
            continue
        seen[start] = True
        stack = [(start, iter(follow[start]))]
        while stack:
            at, rest = stack[-1]
            for to in rest:
                if not seen[to]:
                    seen[to] = True
                    stack.append((to, iter(follow[to])))
                    break
            else:
                left.append(at)
                stack.pop()
    return left


def ranks(follow: Sequence[Sequence[int]]) -> list[int]:
    """A number for each Item, larger for what comes later; the unreachable come last."""
    found = [len(follow)] * len(follow)
    if follow:
        for rank, at in enumerate(reversed(finishing_order(follow, [0]))):
            found[at] = rank
    return found


def looping(follow: Sequence[Sequence[int]]) -> set[int]:
    """Items that can be reached from themselves (Kosaraju's strongly connected components)."""
    into: list[list[int]] = [[] for _ in follow]
    for at, targets in enumerate(follow):
        for to in targets:
            into[to].append(at)
    found = {at for at, targets in enumerate(follow) if at in targets}
    done = [False] * len(follow)
    for root in reversed(finishing_order(follow, range(len(follow)))):
        if done[root]:
            continue
        component, stack = [], [root]
        done[root] = True
        while stack:
            at = stack.pop()
            component.append(at)
            for to in into[at]:
                if not done[to]:
                    done[to] = True
                    stack.append(to)
        if len(component) > 1:
            found.update(component)
    return found
