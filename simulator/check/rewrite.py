"""How mistakes change a cell's term: each function gives the wrong terms that one kind of mistake leads to."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from simulator.check.reference import Element, Kinds, Reference, family
from simulator.tape.scalar import Call, Choice, Negative, Number, Power, Product, Ref, Scalar, Sum, Total
from simulator.tape.vector import LONGEST_SUM, everywhere, in_one_place, references

Factors = tuple[tuple[bool, Scalar], ...]


@dataclass(frozen=True)
class Site:
    """One cell's term in the first block or in later ones, and what its arrays are.

    rewritten has the term after a first mistake, to which a second one is added.
    """

    reference: Reference
    k: int
    later: bool
    rewritten: Scalar | None = None

    @property
    def element(self) -> Element:
        return self.reference.elements[self.k]

    @property
    def term(self) -> Scalar:
        if self.rewritten is not None:
            return self.rewritten
        return self.element.later if self.later else self.element.first

    @property
    def kinds(self) -> Kinds:
        return self.reference.kinds

    @cached_property
    def refs(self) -> list[Ref]:
        return references(self.term)

    @cached_property
    def stage(self) -> str:
        """given, parameter, forward, cost, backward or update; a ledger updates in the next row's weights."""
        role = self.element.quantity.role
        updates = role == "parameter" and any(r.node.serial in self.kinds.gradients for r in self.refs)
        return "update" if updates else role

    def of(self, *kinds: frozenset[int] | Mapping[int, object]) -> list[Ref]:
        """The references to arrays of these kinds."""
        return [r for r in self.refs if any(r.node.serial in kind for kind in kinds)]

    def siblings(self, ref: Ref) -> Iterator[Ref]:
        """What may be taken for this one: other entries of its array, and scalars with another number in their name."""
        for e in self.reference.elements:
            near = e.node is ref.node or (family(e.name) == family(ref.node.name) and e.node.shape == ref.node.shape)
            if near and (e.node is not ref.node or e.index != ref.index):
                yield Ref(e.node, e.index, ref.back)


def _product(factors: Factors) -> Scalar:
    """The product of what is left; a divisor cannot stand first."""
    if not factors:
        return Number(1)
    if factors[0][0]:
        factors = ((False, Number(1)), *factors)
    return factors[0][1] if len(factors) == 1 else Product(factors)


def _replaced(term: Scalar, old: Ref, new: Scalar) -> Scalar:
    return everywhere(term, lambda s: new if s == old else None)


def _instead(term: Scalar, old: Ref, new: Scalar) -> Iterator[Scalar]:
    """new in place of old, in all places and in each one."""
    yield _replaced(term, old, new)
    yield from in_one_place(term, lambda s: iter((new,) if s == old else ()))


def _each_and_all(term: Scalar, rewrite: Callable[[Scalar], Scalar | None]) -> Iterator[Scalar]:
    yield everywhere(term, rewrite)
    yield from _each(term, rewrite)


def _each(term: Scalar, rewrite: Callable[[Scalar], Scalar | None]) -> Iterator[Scalar]:
    def one(s: Scalar) -> Iterator[Scalar]:
        new = rewrite(s)
        if new is not None:
            yield new

    yield from in_one_place(term, one)


def _rest(s: Scalar) -> Ref | None:
    """A where the term is 1 - A, guarded or not, or 1 - A^2."""
    if isinstance(s, Choice):
        return _rest(s.otherwise)
    match s:
        case Sum(((1, Number(1)), (-1, Ref() as a))):
            return a
        case Sum(((1, Number(1)), (-1, Power(Ref() as a, Number(2))))):
            return a
    return None


def _slopes(factors: Factors, kinds: Kinds) -> list[tuple[frozenset[int], int]]:
    """The places of the factors that make an activation's slope, and the activation."""
    found = []
    for i, (divides, f) in enumerate(factors):
        a = _rest(f)
        if a is not None and not divides and a.node.serial in kinds.activations:
            if kinds.activations[a.node.serial] == "tanh":
                found.append((frozenset({i}), a.node.serial))
            else:
                twins = [j for j, (d, x) in enumerate(factors) if x == a and not d]
                found += [(frozenset({i, twins[-1]}), a.node.serial)] if twins else []
        elif isinstance(f, Ref) and f.node.serial in kinds.slopes:
            found.append((frozenset({i}), kinds.slopes[f.node.serial]))
    return found


def _in_slopes(
    site: Site, hidden: bool | None, change: Callable[[Factors, frozenset[int]], Scalar | None]
) -> Iterator[Scalar]:
    """The slopes of hidden activations, of the output's, or of all (None), rewritten in all places and in each one."""
    kinds = site.kinds

    def rewrite(s: Scalar) -> Scalar | None:
        factors = s.factors if isinstance(s, Product) else ((False, s),) if _rest(s) is not None else ()
        out: Scalar | None = None
        for places, activation in _slopes(factors, kinds):
            if hidden is None or hidden == (activation not in kinds.output):
                out = change(factors, places)
        return out

    def deep(s: Scalar) -> Scalar | None:
        new = rewrite(s)
        if new is None or not isinstance(s, Product):
            return new
        inner = tuple((d, everywhere(x, deep)) for d, x in (new.factors if isinstance(new, Product) else ()))
        return Product(inner) if inner else new

    yield everywhere(site.term, deep)
    yield from _each(site.term, rewrite)


def _without(factors: Factors, places: frozenset[int]) -> Scalar:
    return _product(tuple(f for i, f in enumerate(factors) if i not in places))


def _terms(s: Scalar) -> tuple[tuple[int, Scalar], ...]:
    match s:
        case Sum(terms):
            return terms
        case Total(terms):
            return tuple((+1, t) for t in terms)
    return ()


def _is_path(t: Scalar) -> bool:
    """Whether a term of a sum is a contribution, not one side of a difference such as P - Y or 1 - A."""
    return isinstance(t, Product | Total) or (isinstance(t, Negative) and _is_path(t.operand))


def slope_forgotten(hidden: bool | None) -> Callable[[Site], Iterator[Scalar]]:
    return lambda site: _in_slopes(site, hidden, _without)


def slope_again(site: Site) -> Iterator[Scalar]:
    kinds = site.kinds

    def again(a: Ref) -> Scalar:
        if kinds.activations[a.node.serial] == "tanh":
            return Call("tanh", (a,))
        return Product(((False, Number(1)), (True, Sum(((1, Number(1)), (1, Call("exp", (Negative(a),))))))))

    yield from _slope_at(site, again)


def slope_of_sum(site: Site) -> Iterator[Scalar]:
    """The slope with the weighted sum in the activation's place."""
    inner = {e.node.serial: e.node for e in site.reference.elements if e.quantity.role == "forward"}

    def summed(a: Ref) -> Scalar:
        args = [arg for arg in a.node.args if arg.serial in inner]
        return Ref(args[0], a.index, a.back) if args else a

    yield from _slope_at(site, summed)


def _slope_at(site: Site, instead: Callable[[Ref], Scalar]) -> Iterator[Scalar]:
    def change(factors: Factors, places: frozenset[int]) -> Scalar | None:
        a = next((r for i in places for r in [_rest(factors[i][1])] if r is not None), None)
        if a is None:
            return None
        new = instead(a)
        return _product(tuple((d, _replaced(f, a, new) if i in places else f) for i, (d, f) in enumerate(factors)))

    yield from _in_slopes(site, None, change)


def half_slope(site: Site) -> Iterator[Scalar]:
    for keep in (0, 1):

        def change(factors: Factors, places: frozenset[int], keep: int = keep) -> Scalar | None:
            ordered = sorted(places, key=lambda i: _rest(factors[i][1]) is None)
            return _without(factors, frozenset({ordered[keep]})) if len(ordered) == 2 else None

        yield from _in_slopes(site, None, change)


def another_unit(site: Site) -> Iterator[Scalar]:
    softmax = {s for s, name in site.kinds.activations.items() if name == "softmax"}
    for ref in site.of(site.kinds.activations):
        if site.stage != "cost" or ref.node.serial not in softmax:
            for other in site.siblings(ref):
                yield from _instead(site.term, ref, other)


def wrong_weight(site: Site) -> Iterator[Scalar]:
    refs = site.of(site.kinds.weights)
    yield everywhere(site.term, lambda s: _turned(s) if s in refs else None)
    for ref in refs:
        for other in site.siblings(ref):
            yield from _instead(site.term, ref, other)
    for i, a in enumerate(refs):
        for b in refs[i + 1 :]:
            if family(a.node.name) == family(b.node.name):
                swapped: dict[Scalar, Scalar] = {a: b, b: a}
                yield everywhere(site.term, swapped.get)


def _turned(s: Scalar) -> Scalar | None:
    if isinstance(s, Ref) and len(s.index) == 2:
        r, c = s.index
        if c < s.node.shape[0] and r < s.node.shape[1]:
            return Ref(s.node, (c, r), s.back)
    return None


def path_missing(site: Site) -> Iterator[Scalar]:
    def drop(s: Scalar) -> Iterator[Scalar]:
        terms = _terms(s)
        if not 2 <= len(terms) <= LONGEST_SUM or not (isinstance(s, Total) or all(_is_path(t) for _, t in terms)):
            return
        for i in range(len(terms)):
            kept = (*terms[:i], *terms[i + 1 :])
            yield kept[0][1] if len(kept) == 1 and kept[0][0] > 0 else Sum(kept)

    yield from in_one_place(site.term, drop)


def brackets_missing(site: Site) -> Iterator[Scalar]:
    def opened(s: Scalar) -> Iterator[Scalar]:
        match s:
            case Product(factors):
                for i, (divides, f) in enumerate(factors):
                    terms = _terms(f)
                    before, after = factors[:i], factors[i + 1 :]
                    if len(terms) > 1 and (before or after):
                        (sign, first), *middle, (last_sign, last) = terms
                        head = _product((*before, (divides, first)))
                        tail = _product(((False, last), *after))
                        yield Sum(((sign, head), *middle, (last_sign, tail)))
                    if isinstance(f, Product) and divides:
                        yield Product((*before, (True, f.factors[0][1]), *f.factors[1:], *after))
            case Negative(inner) if len(_terms(inner)) > 1:
                (sign, first), *rest = _terms(inner)
                yield Sum(((-sign, first), *rest))

    yield from in_one_place(site.term, opened)


def update_sign(site: Site) -> Iterator[Scalar]:
    if isinstance(site.term, Sum):
        yield Sum(tuple((+1, t) for _, t in site.term.terms))


def update_left_out(site: Site) -> Iterator[Scalar]:
    if not _updates_bias(site):
        yield from _old_value(site)


def rate_missing(site: Site) -> Iterator[Scalar]:
    rate = site.reference.run.epoch.rate.serial, site.reference.run.settings.leaves["learning_rate"].serial
    yield from in_one_place(
        site.term, lambda s: iter((Number(1),) if isinstance(s, Ref) and s.node.serial in rate else ())
    )


def not_carried(site: Site) -> Iterator[Scalar]:
    if site.later and site.element.first is not site.element.later:
        yield site.element.first


def _difference(s: Scalar, kinds: Kinds) -> bool:
    """Whether this is P - Y: a label beside a prediction."""
    match s:
        case Sum(((1, _), (-1, _))) | Sum(((1, _), (1, _), (-1, _))):
            refs = references(s)
            labels = [r for r in refs if r.node.serial in kinds.labels]
            return len(labels) == 1 and len(refs) > 1 and not any(isinstance(t, Number) for _, t in s.terms)
    return False


def label_first(site: Site) -> Iterator[Scalar]:
    yield from _each_and_all(
        site.term,
        lambda s: Sum(tuple((-sign, t) for sign, t in _terms(s))) if _difference(s, site.kinds) else None,
    )


def gradient_sign(site: Site) -> Iterator[Scalar]:
    kinds = site.kinds
    if not any(True for _ in in_one_place(site.term, lambda s: iter((s,) if _difference(s, kinds) else ()))):
        yield Negative(site.term)


def mean_missing(site: Site) -> Iterator[Scalar]:
    m = Number(float(site.kinds.samples))

    def drop(s: Scalar) -> Iterator[Scalar]:
        if isinstance(s, Product) and m.value > 1:
            for i, factor in enumerate(s.factors):
                if factor == (True, m):
                    yield _product((*s.factors[:i], *s.factors[i + 1 :]))

    yield from in_one_place(site.term, drop)


def mean_doubled(site: Site) -> Iterator[Scalar]:
    if site.kinds.samples > 1:
        yield Product(((False, site.term), (True, Number(float(site.kinds.samples)))))


def factor_two(site: Site) -> Iterator[Scalar]:
    yield Product(((False, Number(2)), (False, site.term)))
    yield Product(((False, site.term), (True, Number(2))))


def _of_bias(site: Site) -> bool:
    about = site.element.node.about
    return about is not None and about.serial in site.kinds.biases


def _old_value(site: Site) -> Iterator[Scalar]:
    """What an update starts from."""
    if isinstance(site.term, Sum):
        yield site.term.terms[0][1]


def _updates_bias(site: Site) -> bool:
    return any(isinstance(old, Ref) and old.node.serial in site.kinds.biases for old in _old_value(site))


def bias_gradient_missing(site: Site) -> Iterator[Scalar]:
    if site.stage == "backward" and site.element.node.serial in site.kinds.gradients and _of_bias(site):
        yield Number(0)
    elif site.stage == "update" and _updates_bias(site):
        yield from _old_value(site)


def bias_times_input(site: Site) -> Iterator[Scalar]:
    """The gradient of a weight that multiplies an input of the same unit."""
    if site.element.node.serial in site.kinds.gradients and _of_bias(site):
        mine = {(r.node.serial, r.index) for r in site.refs if r.node.serial not in site.kinds.factors}
        for e in site.reference.elements:
            if e.node.serial in site.kinds.gradients and e.node is not site.element.node:
                term = e.later if site.later else e.first
                if mine & {(r.node.serial, r.index) for r in references(term)}:
                    yield term
    if site.element.node.serial in site.kinds.factors and site.term == Number(1):
        for e in site.reference.elements:
            of_input = e.node.serial in site.kinds.factors and e.node is not site.element.node
            if of_input and e.index[0] == site.element.index[0]:
                yield Ref(e.node, e.index)


def _factors_of_input(site: Site) -> list[Ref]:
    """What a weight's gradient multiplies with: inputs, or activations of the layer below."""
    slopes = {r for r in site.refs if any(_rest(f) == r for f in _parts(site.term))}
    below = [r for r in site.of(site.kinds.activations) if r not in slopes or site.element.node.shape != (1, 1)]
    return site.of(site.kinds.inputs, site.kinds.factors) + below


def _parts(term: Scalar) -> list[Scalar]:
    found: list[Scalar] = []

    def note(s: Scalar) -> Iterator[Scalar]:
        found.append(s)
        return iter(())

    list(in_one_place(term, note))
    return found


def _is_weight_gradient(site: Site) -> bool:
    return site.element.node.serial in site.kinds.gradients and not _of_bias(site)


def input_missing(site: Site) -> Iterator[Scalar]:
    if not _is_weight_gradient(site):
        return
    factors = set(_factors_of_input(site))

    def without(s: Scalar) -> Scalar | None:
        if not isinstance(s, Product):
            return None
        taken = {i for places, _ in _slopes(s.factors, site.kinds) for i in places}
        drop = {i for i, (_, f) in enumerate(s.factors) if f in factors and i not in taken}
        return _without(s.factors, frozenset(drop)) if drop else None

    yield everywhere(site.term, without)


def input_swapped(site: Site) -> Iterator[Scalar]:
    if not _is_weight_gradient(site):
        return
    refs = site.of(site.kinds.inputs, site.kinds.factors)
    for other in {s.node.serial: s for r in refs for s in site.siblings(r)}.values():
        if other.node not in [r.node for r in refs]:
            instead: dict[Scalar, Scalar] = dict.fromkeys(refs, other)
            yield everywhere(site.term, instead.get)
    shapes = {r.node.shape for r in refs if len(r.index) == 2}
    for axis in (0, 1):
        for shape in shapes:
            for step in (
                range(1, min(shape[axis], LONGEST_SUM)) if math.prod(shape) <= LONGEST_SUM else (1,) * (shape[axis] > 1)
            ):

                def moved(s: Scalar, axis: int = axis, step: int = step) -> Scalar | None:
                    if s not in refs or not isinstance(s, Ref):
                        return None
                    index = list(s.index)
                    index[axis] = (index[axis] + step) % s.node.shape[axis]
                    return Ref(s.node, tuple(index), s.back)

                yield everywhere(site.term, moved)


def updated_weights(site: Site) -> Iterator[Scalar]:
    updates = site.reference.run.epoch.updates
    refs = site.of(site.kinds.weights)

    def updated(s: Scalar) -> Scalar | None:
        if s not in refs or not isinstance(s, Ref):
            return None
        new = updates.get(s.node.name)
        placed = new is not None and (new.serial, s.index) in site.reference.slot
        return Ref(new, s.index) if placed and new is not None else Ref(s.node, s.index, s.back - 1)

    yield from _each_and_all(site.term, updated)


def another_gradient(site: Site) -> Iterator[Scalar]:
    for ref in site.of(site.kinds.gradients):
        for e in site.reference.elements:
            if e.node.serial in site.kinds.gradients and (e.node is not ref.node or e.index != ref.index):
                yield from _instead(site.term, ref, Ref(e.node, e.index, ref.back))


def not_normalised(site: Site) -> Iterator[Scalar]:
    if site.element.node.softmax_of and isinstance(site.term, Product):
        yield _product(tuple(f for f in site.term.factors if not f[0]))


def softmax_axis(site: Site) -> Iterator[Scalar]:
    z_and_sum = [e.node.softmax_of for e in site.reference.elements if e.node.softmax_of]
    sums = {s.serial for _, s in z_and_sum if s is not None}
    if site.element.node.serial in sums and isinstance(site.term, Total):
        inner = [r for r in site.refs if len(r.index) == 2]
        yield everywhere(site.term, lambda s: _turned(s) if s in inner else None)
        if inner:
            rows, columns = inner[0].node.shape
            yield Total(tuple(Ref(inner[0].node, (r, c)) for r in range(rows) for c in range(columns)))
    for ref in site.refs:
        if ref.node.serial in sums and site.element.node.softmax_of:
            for other in site.siblings(ref):
                yield _replaced(site.term, ref, other)


def slope_on_top(site: Site) -> Iterator[Scalar]:
    """P (1 - P) once more where cross-entropy has already cancelled it."""
    for ref in site.of(site.kinds.activations):
        parts = _parts(site.term)
        cancelled = any(_difference(part, site.kinds) and ref in references(part) for part in parts)
        if ref.node.serial in site.kinds.output and cancelled and not any(_rest(part) == ref for part in parts):
            yield Product(((False, site.term), (False, ref), (False, Sum(((1, Number(1)), (-1, ref))))))


def crossentropy_sign(site: Site) -> Iterator[Scalar]:
    if not site.kinds.crossentropy or (site.stage == "backward" and not site.of(site.kinds.labels)):
        return

    def flipped(s: Scalar) -> Iterator[Scalar]:
        if isinstance(s, Sum) and len(s.terms) == 2 and all(_is_path(t) for _, t in s.terms):
            for i in (0, 1):
                yield Sum(tuple((-sign if i == j else sign, t) for j, (sign, t) in enumerate(s.terms)))

    yield from in_one_place(site.term, flipped)
    if site.stage == "cost" and any(isinstance(part, Call) for part in _parts(site.term)):
        yield Negative(site.term)


def log_base(site: Site) -> Iterator[Scalar]:
    for base in (10.0, 2.0):

        def other(s: Scalar, base: float = base) -> Scalar | None:
            if isinstance(s, Call) and s.function == "log":
                return Product(((False, s), (True, Call("log", (Number(base),)))))
            return None

        yield from _each_and_all(site.term, other)


def exponent_sign(site: Site) -> Iterator[Scalar]:
    def other(s: Scalar) -> Iterator[Scalar]:
        if isinstance(s, Call) and s.function == "exp":
            (x,) = s.args
            yield Call("exp", (x.operand if isinstance(x, Negative) else Negative(x),))

    yield from in_one_place(site.term, other)


def bias_forgotten(site: Site) -> Iterator[Scalar]:
    def drop(s: Scalar) -> Iterator[Scalar]:
        if isinstance(s, Sum):
            kept = tuple(
                (sign, t) for sign, t in s.terms if not (isinstance(t, Ref) and t.node.serial in site.kinds.biases)
            )
            if 0 < len(kept) < len(s.terms):
                yield kept[0][1] if len(kept) == 1 else Sum(kept)

    yield from in_one_place(site.term, drop)


def rounded(site: Site) -> Iterator[Scalar]:
    for digits in range(6):
        yield Call("round", (site.term, Number(float(digits))))
