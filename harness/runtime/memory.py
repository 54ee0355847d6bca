"""Out of memory: told from other errors, what the failed work held set free, and the work done in smaller pieces."""

from __future__ import annotations

import errno
import gc
import traceback
from collections.abc import Callable

import torch

from mmact_oneshot.harness.runtime.errors import OutOfMemory
from mmact_oneshot.harness.runtime.progress import Silent, Watcher

_TELLTALES = ("can't allocate memory", "not enough memory", "_STATUS_ALLOC_FAILED")  # of torch, cuBLAS and cuDNN


def ran_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory was wanted and not there, of the GPU or of the machine."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError | OutOfMemory):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _TELLTALES)


def let_go(error: BaseException) -> None:
    """Free what the frames of an error hold: tensors, threads that prepare batches. Its traceback stays."""
    link: BaseException | None = error
    while link is not None:
        traceback.clear_frames(link.__traceback__)
        link = link.__cause__ or link.__context__


def free(error: BaseException) -> None:
    """Give back all that failed work held of the memory, torch's cache included."""
    let_go(error)
    give_back()


def give_back() -> None:
    """Give a GPU's memory that nothing holds any more back to other processes; torch keeps it for its own use."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def in_pieces(
    work: Callable[[slice], None], items: int, at_once: int, what: str, watcher: Watcher | None = None
) -> int:
    """Do work on all items, so many at once, and on half as many from when they run out of memory.

    Args:
        work: on some of the items; done again on fewer where it ran out of memory.
        what: the items are, for who follows: "clips".

    Returns:
        How many at once it was in the end.

    Raises:
        OutOfMemory: a single item is too much.
    """
    first = 0
    while first < items:
        part = slice(first, min(first + at_once, items))
        try:
            work(part)
        except (RuntimeError, MemoryError) as error:
            at_once = halved(error, part.stop - part.start, what, watcher)
        else:
            first = part.stop
    return at_once


def halved(error: BaseException, at_once: int, what: str, watcher: Watcher | None = None) -> int:
    """Half of so many items, where they ran out of memory; frees what the attempt held, and says so.

    Raises:
        OutOfMemory: it was a single item.
        BaseException: the error itself, where it is another.
    """
    if not ran_out_of_memory(error) or isinstance(error, OutOfMemory):
        raise error
    free(error)
    if at_once <= 1:
        raise OutOfMemory(
            f"out of memory with one of the {what} at a time: {first_line(error)}.",
            remedy="Use a machine with more memory, or run less beside it.",
        ) from error
    (watcher or Silent()).note(f"  out of memory with {at_once} {what} at a time: {at_once // 2} from now on")
    return at_once // 2


def first_line(error: BaseException) -> str:
    """What an error says, in short: torch goes on with figures of its allocator."""
    return str(error).partition("\n")[0].partition(". ")[0] or type(error).__name__
