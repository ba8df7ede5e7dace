"""Maglev consistent hashing; imports nothing.

In: backend names with weights and a table size. Out: a list that maps each slot to the index of a backend.
Called by `plan`; formulas and measured disruption are in the tests.

    build_table([("10.0.0.1:80", 1), ("10.0.0.2:80", 1)], 8)  ->  [0, 1, 1, 0, ...]

The fill is the paper's: every backend walks its own permutation of the slots (offset, offset + skip, ...)
and takes the next free one when it is its turn. Any size works for which `skip` is coprime with the size: a
prime (skip 1..M-1) or a power of two (skip odd; the data plane indexes with `hash & (M - 1)`).

Weights follow Katran's V2: each round a backend collects its weight and takes a slot whenever it has
collected the largest weight, so |slots_i - M*w_i/W| <= 1 + N*w_i/W. With equal weights slots are floor or
ceil of M/N.
"""

MIN_SLOTS = 16
MAX_SLOTS = 1 << 16  # bucket numbers are 16 bits wide
SLOTS_PER_BACKEND = 100  # keeps max/avg below 1 + 1/100

_FNV_OFFSET = 0xCBF29CE484222325
_FNV_PRIME = 0x100000001B3
_MASK64 = 0xFFFFFFFFFFFFFFFF


def _mix(value: int) -> int:
    # splitmix64's finaliser: FNV alone leaves names that differ in the last byte almost parallel.
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 & _MASK64
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB & _MASK64
    return value ^ (value >> 31)


def name_hash(name: str) -> int:
    """64-bit hash of a backend's name: FNV-1a, then mixed; the same in every process and version."""
    value = _FNV_OFFSET
    for byte in name.encode():
        value = (value ^ byte) * _FNV_PRIME & _MASK64
    return _mix(value)


def is_power_of_two(value: int) -> bool:
    """True for 1, 2, 4, ..."""
    return value > 0 and value & (value - 1) == 0


def is_prime(value: int) -> bool:
    """Trial division; table sizes are small."""
    if value < 2:
        return False
    divisor = 2
    while divisor * divisor <= value:
        if value % divisor == 0:
            return False
        divisor += 1
    return True


def table_size(backends: int, smallest: int = MIN_SLOTS, largest: int = MAX_SLOTS) -> int:
    """Smallest power of two with 100 slots per backend, within [smallest, largest] (powers of two)."""
    size = smallest
    while size < largest and size < SLOTS_PER_BACKEND * backends:
        size *= 2
    return size


def permutation_start(name: str, size: int) -> tuple[int, int]:
    """(offset, skip) of a backend's walk through a table of `size` slots."""
    seed = name_hash(name)
    offset = (seed >> 32) % size
    second = _mix(seed ^ 0x9E3779B97F4A7C15)
    if is_power_of_two(size):
        return offset, second % size | 1
    return offset, second % (size - 1) + 1


def build_table(backends: list[tuple[str, int]], size: int) -> list[int]:
    """Fill a table of `size` slots; slot -> index into `backends`, a list of (unique name, weight >= 1).

    The result depends on the set of backends, not on their order (indices aside). Raises ValueError when the
    size is neither a prime nor a power of two, or there is no backend, or a weight is below 1.
    """
    if not is_power_of_two(size) and not is_prime(size):
        raise ValueError(f"a Maglev table has a prime or power-of-two number of slots, not {size}")
    if not backends:
        raise ValueError("a Maglev table needs at least one backend")
    if any(weight < 1 for _, weight in backends):
        raise ValueError("a backend's weight is at least 1; leave the backend out instead")
    if len(backends) == 1:
        return [0] * size
    order = sorted(range(len(backends)), key=lambda index: backends[index][0])
    if len({weight for _, weight in backends}) == 1:
        return _fill_equal(backends, order, size)
    return _fill_weighted(backends, order, size)


def _fill_equal(backends: list[tuple[str, int]], order: list[int], size: int) -> list[int]:
    table = [-1] * size
    positions, skips = _walks(backends, order, size)
    turns = range(len(order))
    left = size
    while True:
        for turn in turns:
            position = positions[turn]
            skip = skips[turn]
            while table[position] >= 0:
                position += skip
                if position >= size:
                    position -= size
            table[position] = order[turn]
            positions[turn] = position
            left -= 1
            if not left:
                return table


def _fill_weighted(backends: list[tuple[str, int]], order: list[int], size: int) -> list[int]:
    table = [-1] * size
    positions, skips = _walks(backends, order, size)
    largest = max(weight for _, weight in backends)
    weights = [backends[index][1] for index in order]
    collected = [0] * len(order)
    left = size
    while True:
        for turn, weight in enumerate(weights):
            collected[turn] += weight
            if collected[turn] < largest:
                continue
            collected[turn] -= largest
            position = positions[turn]
            while table[position] >= 0:
                position = (position + skips[turn]) % size
            table[position] = order[turn]
            positions[turn] = position
            left -= 1
            if not left:
                return table


def _walks(backends: list[tuple[str, int]], order: list[int], size: int) -> tuple[list[int], list[int]]:
    positions: list[int] = []
    skips: list[int] = []
    for index in order:
        offset, skip = permutation_start(backends[index][0], size)
        positions.append(offset)
        skips.append(skip)
    return positions, skips
