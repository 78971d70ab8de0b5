"""Whether a module is a function of one sequence: asked before any number is given of it.

A number that changes when it is asked for again (dropout that is always on, noise, a counter), or with the other
sequences of its batch (normalization by the batch), cannot be explained by any method. Passes are made of:

    (a, b)             a beside b
    (a, c)             a at the same place beside another: the same operations in the same order, so the same bits
    (c, a' ..., a, b)  edits of a together, as methods predict them
    (a')               two of its rows alone: other kernels, so nearly the same; of long windows b, and no edits

A layer that is left out once in a hundred times shows in none of these: where the pass has drawn random numbers, of the
process's generators or of the module's own, it is made again with others in their place; where it has changed a number
or a buffer that the module keeps, it is made again some times. Only where numbers differ is the computation recorded
operation by operation and compared, to tell rounding from a real difference and to name the first operation that
differs.

Where a method makes passes of many sequences anyway, and so few that these would take more than a part of them, a
stranger rides along instead (``Stranger``), and rows of the pass are predicted once more, elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from interpret.function.memory import NEAR_0, NEAR_1, Memories, Memory
from interpret.function.operations import Draws, Operation, Recorder, first_difference, parting, same
from interpret.module import check_one_hot, evaluating, fixed_arguments, rows_a_pass, scalar
from zoo.errors import ModelError
from zoo.genome.encode import Sequences, random_windows
from zoo.words import counted

__all__ = ["Stranger", "check_function"]

#: Of a value's scale: what another kernel's order of additions leaves after many layers.
ROUNDING = 1e-4
#: Bits of the last place that differ where nothing but rounding does.
ULPS = 64
OF_EFFECTS = 2e-4  # of the spread of a pass's numbers: where they are near one another, bits of the last place matter
REPEATS = 32  # where numbers are drawn that cannot be replaced
RECOUNTS = 8  # where a pass changes what the module keeps
#: Sequences of the pass that is compared with one alone: more than a pair, odd, and few other axes are long.
COMPANY = 13
#: Methods whose passes are made for no gradient. A module that keeps what it computes is asked as it will be used.
FORWARD_ONLY = frozenset({"ism", "ablation", "marginalize"})


def check_function(
    module: torch.nn.Module,
    one_hot: Sequences,
    batch_size: int | None = None,
    method: str | None = None,
    company: tuple[torch.Tensor, int] | None = None,
) -> None:
    """Refuse a module that is no function of one sequence.

    Args:
        module: (N, 4, L) -> (N,).
        one_hot: (N, 4, L), of which the first sequence is asked about; without one, nothing is.
        batch_size: sequences a pass that the methods will take; with 1 none has company, and none is given.
        method: what asks. For one of ``FORWARD_ONLY`` passes leave out what a gradient would need: a sixth of the time
            of a recurrent net, whose steps are many and small.
        company: a pass (n, 4, L) and one of its rows, which are compared with that row alone, too.

    Raises:
        ModelError: it gives another number each time, or depends on the other sequences of a batch, their number or
            its place among them; names the first operation that differs, its module and line.
        UsageError: it gives more than one number a sequence.
    """
    one_hot = check_one_hot(one_hot)
    if not len(one_hot):
        return
    with evaluating(module) as device, torch.inference_mode(False), torch.no_grad():
        a = torch.from_numpy(one_hot[:1].copy()).to(device)
        b, c, further = torch.from_numpy(random_windows(3, one_hot.shape[2], seed=1)).to(device).split(1)
        asked = _Asked(module, further, method in FORWARD_ONLY)
        if batch_size == 1:
            asked.try_other_draws(a)
            asked.compare_again(a, a)
            return
        both = torch.cat([a, b])
        asked.try_other_draws(both)
        asked.compare_again(both, torch.cat([a, c]))
        size = min(COMPANY, batch_size or COMPANY, rows_a_pass(a.shape[2], device))
        if company is not None:
            asked.compare_alone(*company)
        if size < 3:  # long windows, of which a pass takes no more
            asked.compare_alone(both, 1, asked.paired)
        else:
            asked.compare_edits(_among_edits(a, b, c, size))


def _among_edits(a: torch.Tensor, b: torch.Tensor, c: torch.Tensor, size: int) -> torch.Tensor:
    """A pass of that size: ``c``, then ``a`` and sequences like it, as edits are, then ``b``."""
    shares = (1 / 16, 1 / 2, 1 / 4, 0, 1 / 8, 0, 1 / 4, 0, 0, 0, 1 / 8)[: size - 2]  # of the bases that are another's
    places = torch.arange(a.shape[2], device=a.device)
    edits = [torch.where((places * 7919 + 101 * i) % 1024 < 1024 * share, b, a) for i, share in enumerate(shares)]
    return torch.cat([c, *edits, b])


def _inner(rows: int) -> list[int]:
    """Places in a pass that are neither first nor last, and that every second or third row does not have."""
    return [i for i in range(1, rows - 1) if i % 6 in (1, 5)] or [min(1, rows - 1)]


class Stranger:
    """A random window that rides along second in a pass of other sequences, of which some are predicted once more.

    That is in a pass of seven, with further random windows for its first and last rows: the first and the last of the
    pass, and two others, whose places differ by twos, threes and fours. Their numbers show noise, a batch that is
    normalized as one, rows that see others before or behind them, and what depends on their number or place. Where one
    differs, or the pass changes what may change a number (``Memory``), ``check_function`` is to be asked, which tells
    rounding from a real difference and names it. Of long windows, of which a pass takes few, one is predicted alone.

    Args:
        module: (N, 4, L) -> (N,). x: (N, 4, L) on the module's device, of which the length is taken.

    Attributes:
        window: (1, 4, L). seconds: of the pass in which rows were predicted once more, once they were.
    """

    #: Passes like that of seven that take as long as ``check_function``, which makes as many of fewer and more.
    AS_LONG = 6

    def __init__(self, module: torch.nn.Module, x: torch.Tensor) -> None:
        self._module, self._memory = module, Memory(module, x)
        self._before = self._memory.now()
        self.window, self._others = torch.from_numpy(random_windows(4, x.shape[2], seed=1)).to(x).split((1, 3))
        self.seconds, self._again, self._rows = 0.0, torch.empty(0), [0]
        self.company: tuple[torch.Tensor, int] | None = None

    def again(self, seconds: Callable[[], float], company: torch.Tensor, found: torch.Tensor) -> None:
        """Predict rows of a pass (n, 4, L) once more, and time it: those of a large effect on what it gave, (n,)."""
        effects = (found - found[0]).nan_to_num(0, 0, 0)
        # Of those that most have: a rare one the other way may be what all others are held to.
        effects = effects * effects.sum().sign()
        inner = range(2, len(company) - 1)
        places = [[i for i in inner if i % 6 == 2], [i for i in inner if i % 12 == 11]]  # they will be at 1 and 2
        few = not all(places)
        if few:
            places = [[i for i in _inner(len(company)) if i > 1] or [1]]
        self._rows = [_of_large_effect(effects, some) for some in places] + ([] if few else [len(company) - 1, 0])
        own = company[self._rows]
        begin = seconds()
        with torch.inference_mode():
            asked = own if few else torch.cat([self._others[:1], own, self._others[1:]])
            given = scalar(self._module, asked).double()
        self.company, self._again = (company, self._rows[0]), given if few else given[1:5]
        self.seconds = seconds() - begin

    def differs(self, found: torch.Tensor) -> bool:
        """Whether a pass, (n,) float64, gave one of those rows another number, by more than a little of its effects."""
        apart = max(map(_distance, found[self._rows], self._again))
        return not apart <= _little(found) or self._before != self._memory.now()


def _of_large_effect(effects: torch.Tensor, places: list[int]) -> int:
    """The last of these places whose effect is at least half of the largest."""
    own = effects[places]
    most = float(own.max())
    return places[int(torch.nonzero(own >= (most / 2 if most > 0 else most))[-1])]


class _Asked:
    """A module, and what it answered. ``further``: a window that makes three of two, as few other axes are long."""

    def __init__(self, module: torch.nn.Module, further: torch.Tensor, forward_only: bool) -> None:
        self.module, self.further, self.forward_only = module, further, forward_only
        self.paired = self.pair = self.second = torch.empty(0)

    def predict(self, x: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode(self.forward_only):
            return self.watched(x)

    def watched(self, x: torch.Tensor) -> torch.Tensor:
        """``predict`` where its operations are looked at."""
        return scalar(self.module, x, *fixed_arguments(self.module, x)).double().cpu()

    def recorded(self, x: torch.Tensor, row: int) -> list[Operation]:
        with Recorder(self.module, len(x), row) as recorder:
            self.watched(x)
        return recorder.operations

    def try_other_draws(self, x: torch.Tensor) -> None:
        """The first answer, and whether it depends on random numbers where any are drawn, or on what is kept."""
        memory = Memory(self.module, x)
        before = memory.now()
        self.paired = self.predict(x)
        after = memory.now()
        repeats, drawn = 0, [name for name in before.drawn if before.drawn[name] != after.drawn[name]]
        if before.of_torch != after.of_torch:
            answers = []
            for value in (1e-7, 1.0):  # of which the first is finite under a logarithm
                with Draws(self.module, value) as draws:
                    answers.append(self.watched(x))
            if draws.first is not None and not same(*answers):
                raise _changes(draws.first, answers[0][0], answers[1][0])
            repeats = REPEATS if draws.whole else 0
        if drawn:
            self._redraw(x, memory, drawn)
            repeats = REPEATS if memory.cannot_be_set(drawn) else repeats
        answers = [self.predict(x) for _ in range(repeats)]
        for answer in answers[1:]:
            if not same(answer, answers[0]):
                raise _changes(None, answers[0][0], answer[0], f": it draws from {drawn[0]}" if drawn else "")
        if not repeats and before.kept != after.kept:
            self._recount(x, after)

    def _redraw(self, x: torch.Tensor, memory: Memory, drawn: list[str]) -> None:
        """Whether it gives the same where Python and numpy draw numbers near 0, and near 1."""
        answers = []
        for word in NEAR_0, NEAR_1:
            with memory.drawing(word):
                answers.append(self.predict(x))
        if not same(*answers):
            raise _changes(None, answers[0][0], answers[1][0], f": it draws from {drawn[0]}")

    def _recount(self, x: torch.Tensor, before: Memories) -> None:
        """Whether it gives the same after some passes that change what it keeps."""
        for _ in range(RECOUNTS):
            again = self.predict(x)
            if _distance(self.paired[0], again[0]) > self._rounding():
                first = self.recorded(x, 0)
                others = (self.recorded(x, 0) for _ in range(RECOUNTS))
                found = next(filter(None, (first_difference(first, one, ROUNDING / 10) for one in others)), None)
                changed = Memory(self.module, x).now().kept
                name = next((name for name in changed if changed[name] != before.kept.get(name)), "")
                raise _changes(found, self.paired[0], again[0], f": with {name}, which a pass changes")

    def compare_again(self, first: torch.Tensor, second: torch.Tensor) -> None:
        """The first sequence of both, in the same place."""
        other = self.predict(second)
        self.pair, self.second = second, other[-1]
        if same(self.paired[0], other[0]):
            return
        again = self.predict(first)[0]
        three, others = torch.cat([first, self.further]), torch.cat([second, self.further])
        before, repeats = self.recorded(three, 0), same(self.paired[0], again)
        if not repeats:
            found = first_difference(before, self.recorded(three, 0), ROUNDING / 10)
            if found or _distance(self.paired[0], again) > ROUNDING * _scale(self.paired):
                raise _changes(found, self.paired[0], again)
        limit = 0.0 if repeats else ROUNDING
        found = first_difference(before, self.recorded(others, 0), limit)
        if found is None:  # a third may hide it: the largest of all three is then the largest of both pairs
            found = first_difference(self.recorded(first, 0), self.recorded(second, 0), limit)
        apart = _distance(self.paired[0], other[0])
        if apart <= self._rounding() and found is not None and found.apart <= ULPS * torch.finfo(found.dtype).eps:
            return
        if found is not None and found.random:  # too weak to show in every number
            raise _changes(found, self.paired[0], other[0])
        if found or (repeats and apart > self._rounding()):
            raise ModelError(
                f"the model's number for a sequence depends on the others in its batch{_at(found)}",
                f"{float(self.paired[0]):.8g} and {float(other[0]):.8g} for the same sequence in other company",
                "Fix: normalize by running statistics or within each sequence, and let no row see another",
            )

    def compare_edits(self, company: torch.Tensor) -> None:
        """Of a pass of edits two rows that are also alone, and the first, which was second of a pair before.

        What goes by the number of rows may be the same in two of these passes, and not in all three.
        """
        given = self.predict(company)
        stale = same(self.second, self.paired[1]) and _distance(given[0], self.second) > ROUNDING * _scale(given)
        if stale and same(self.predict(company[[-1, 0]]), self.paired):  # what another pair was given
            raise ModelError(
                "the model's number for a sequence depends on what it was asked before",
                f"{float(given[0]):.8g} and {float(self.second):.8g} for the same sequence",
                "Fix: let forward compute it anew for each batch",
            )
        self.compare_passes(company, 0, given, self.pair, 1, self.second)
        rows = _inner(len(company))
        for row in dict.fromkeys((min(rows, key=lambda i: given[i]), max(rows, key=lambda i: given[i]))):
            self.compare_alone(company, row, given)

    def compare_alone(self, company: torch.Tensor, row: int, given: torch.Tensor | None = None) -> None:
        """A row of a pass, which was ``given`` these numbers, and alone."""
        given = self.predict(company) if given is None else given
        alone = company[row : row + 1]
        self.compare_passes(company, row, given, alone, 0, self.predict(alone)[0])

    def compare_passes(
        self, company: torch.Tensor, row: int, given: torch.Tensor, few: torch.Tensor, place: int, there: torch.Tensor
    ) -> None:
        """A row of a pass, which was ``given`` these numbers, and the same in a pass of few, where it was given one."""
        scale, apart = _scale(given), _distance(given[row], there)
        if apart <= _little(given):
            return
        before = torch.cat([self.further, company]) if len(company) == 2 else company
        first, second = self.recorded(before, row - len(company)), self.recorded(few, place)
        found, where = first_difference(first, second, ROUNDING), ""
        differs = found is not None
        if found is None and apart > ROUNDING * scale:
            again, where = self.predict(company)[row], parting(first, second)
            if _distance(given[row], again) > ROUNDING * scale:
                raise _changes(None, given[row], again)
            # Or no operation of three tells what shows in two.
            three = len(before) > len(company)
            differs = bool(where) or (three and _distance(self.predict(before)[row - 2], there) < apart / 10)
        if differs:
            raise ModelError(
                "the model's number for a sequence depends on how many are in its batch, or on its place"
                f"{_at(found) or where}",
                f"{float(there):.8g} {_with(len(few) - 1)} and {float(given[row]):.8g} {_with(len(company) - 1)}",
                "Fix: normalize by running statistics or within each sequence, and let no row see another",
            )

    def _rounding(self) -> float:
        return ULPS * torch.finfo(torch.float32).eps * _scale(self.paired)


def _changes(found: Operation | None, one: torch.Tensor, other: torch.Tensor, why: str = "") -> ModelError:
    return ModelError(
        f"the model gives another number each time it is asked{_at(found) or why}",
        f"{float(one):.8g} and {float(other):.8g} for the same sequence",
        "Fix: what is random or counts belongs to training: F.dropout(..., training=self.training)",
    )


def _with(others: int) -> str:
    return f"with {counted(others, 'other')}" if others else "alone"


def _distance(a: torch.Tensor, b: torch.Tensor) -> float:
    """Infinite where one is not finite and the other is something else."""
    if a.isfinite() and b.isfinite():
        return float((a - b).abs())
    return 0.0 if same(a, b) else float("inf")


def _scale(values: torch.Tensor) -> float:
    return float(values.nan_to_num(0, 0, 0).abs().max())


def _little(numbers: torch.Tensor) -> float:
    """What rounding leaves: bits of the last place of a pass's numbers, or less where these are near one another."""
    finite = numbers.nan_to_num(0, 0, 0)
    bits = ULPS * torch.finfo(torch.float32).eps * _scale(finite)
    return min(bits, OF_EFFECTS * float(finite.std(correction=0)))


def _at(found: Operation | None) -> str:
    return "" if found is None else f": first at {found.name}{found.place}"
