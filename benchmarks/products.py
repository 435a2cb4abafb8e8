"""The bound below which NumPy can't come: a training step's matrix products alone, in the threads that did them."""

from __future__ import annotations

import threading
from typing import Any
from unittest import mock

import numpy as np

from benchmarks.models import MODELS, Epoch, data_of, our_model

Product = tuple[Any, Any, Any]  # left, right, result


class Noted(np.ndarray):
    """An array that notes the matrix products it takes part in; so does whatever is made of it."""

    products: dict[int, list[Product]] = {}  # noqa: RUF012, by the thread

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = None, **options: Any) -> Any:
        inputs = tuple(map(_plain, inputs))
        if out is not None:
            options["out"] = tuple(map(_plain, out))
        found = getattr(ufunc, method)(*inputs, **options)
        if ufunc is np.matmul:
            self.products.setdefault(threading.get_ident(), []).append((*inputs, found))
        return found.view(Noted) if isinstance(found, np.ndarray) else found


def _plain(a: Any) -> Any:
    return a.view(np.ndarray) if isinstance(a, Noted) else a


def noting(make: Any) -> Any:
    return lambda *args, **options: make(*args, **options).view(Noted)


def products_of(name: str) -> list[list[Product]]:
    """The products of one training step, thread by thread; only those of weights and buffers are found."""
    model, contest = our_model(name), MODELS[name]
    x, y = (a[: contest.batch] for a in data_of(name))
    makers = {maker: noting(getattr(np, maker)) for maker in ("zeros", "empty", "zeros_like", "empty_like", "array")}
    with mock.patch.multiple(np, **makers):
        model.fit(x, y, batch_size=contest.batch, shuffle=False, verbose=0)
        Noted.products.clear()
        model.fit(x, y, batch_size=contest.batch, shuffle=False, verbose=0)
    return list(Noted.products.values())


def multiply_adds(products: list[list[Product]]) -> int:
    return sum(left.shape[-1] * found.size for some in products for left, _, found in some)


def products_alone(name: str) -> Epoch:
    products, batches = products_of(name), MODELS[name].batches
    widest = max(found.size for some in products for _, _, found in some)
    rooms = [np.empty(widest, np.float32) for _ in products]  # results that went into other products would grow

    def play(some: list[Product], room: Any) -> None:
        for left, right, found in some:
            np.matmul(left, right, out=room[: found.size].reshape(found.shape))

    def epoch() -> None:
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1 if len(products) > 1 else None, "blas"):
            for _ in range(batches):
                others = [
                    threading.Thread(target=play, args=pair) for pair in zip(products[1:], rooms[1:], strict=True)
                ]
                for other in others:
                    other.start()
                play(products[0], rooms[0])
                for other in others:
                    other.join()

    return epoch
