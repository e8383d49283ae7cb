"""Pre and post hooks of certificates that are worked at together: one stops a server, the other starts it."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass, field

TYPE_CHECKING = False  # typing would be a tenth of our memory
if TYPE_CHECKING:
    from collections.abc import Callable

    from pylego.renewal._hooks import AnyHook
    from pylego.renewal._managed import Hooks


@dataclass(eq=False)
class _Group:
    """Certificates between one run of `pre` and one of `post`."""

    hooks: tuple[AnyHook | None, AnyHook | None]
    members: int = 1
    begun: Future[None] = field(default_factory=Future[None])
    """The run of `pre`: what fails there fails for all that have waited for it."""


class Together:
    """Runs `pre` before the first of the certificates with the same two hooks, and `post` after the last.

    For each alone, what one starts again would be in the other's way. Where there is only one
    of the two it undoes nothing, and is run for each.
    """

    def __init__(self) -> None:
        """Have nothing begun."""
        self._groups: list[_Group] = []
        self._changed = threading.Condition()

    def begin(self, hooks: Hooks, pre: Callable[[], None]) -> None:
        """Run `pre`, or wait until it was run for another one.

        Raises:
            Exception: it failed; there is no `end` then.
        """
        if hooks.pre is None or hooks.post is None:
            pre()
            return
        group, first = self._joined((hooks.pre, hooks.post))
        if not first:
            group.begun.result()
            return
        try:
            pre()
        except BaseException as error:
            self._forget(group)
            group.begun.set_exception(error)
            raise
        group.begun.set_result(None)

    def end(self, hooks: Hooks, post: Callable[[], None]) -> None:
        """Run `post`, unless another one still needs what `pre` has done."""
        if hooks.pre is None or hooks.post is None:
            post()
            return
        with self._changed:
            [group] = self._of((hooks.pre, hooks.post))
            group.members -= 1
            if group.members:
                return
        try:
            post()
        finally:
            self._forget(group)

    def _joined(self, hooks: tuple[AnyHook | None, AnyHook | None]) -> tuple[_Group, bool]:
        """Return the group that it belongs to now, and whether it is the first of it."""
        with self._changed:
            while groups := self._of(hooks):
                [group] = groups
                if group.members:
                    group.members += 1
                    return group, False
                self._changed.wait()  # for `post`
            group = _Group(hooks)
            self._groups.append(group)
            return group, True

    def _of(self, hooks: tuple[AnyHook | None, AnyHook | None]) -> list[_Group]:
        return [each for each in self._groups if each.hooks == hooks]  # a function may have no hash

    def _forget(self, group: _Group) -> None:
        with self._changed:
            self._groups.remove(group)
            self._changed.notify_all()
