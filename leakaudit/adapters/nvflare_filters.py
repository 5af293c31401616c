"""Which filters a site of NVFlare is configured with, and whether messages come to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nvflare.apis.fl_constant import FLContextKey

from leakaudit.trace.description import ConfiguredFilter, Stood

_CHAINS = ("task_data_filters", "task_result_filters")


def configured_filters(
    fl_ctx: Any, site: str, recorder: Any = None
) -> tuple[ConfiguredFilter, ...] | None:
    """The filters of the job and of the site's privacy policy.

    Of Collab calls and auxiliary messages, `Job(filters=configured_filters(collab.fl_ctx, site))`
    says that none of them sees what is recorded.

    Args:
        fl_ctx: of the running job.
        site: whose filters they are.
        recorder: the filter that records; None: what is recorded passes no filter.

    Returns:
        None where the context does not tell.
    """
    runner = fl_ctx.get_prop(FLContextKey.RUNNER) if fl_ctx is not None else None
    if runner is None:
        return None
    scope = fl_ctx.get_prop(FLContextKey.SCOPE_OBJECT)
    found: list[ConfiguredFilter] = []
    for name in _CHAINS:
        # The site's come first, then the job's of a task.
        first = getattr(scope, name, {}) if scope is not None else {}
        chains: Mapping[str, Any] = getattr(runner, name, None) or {}
        for direction, own in {k: first.get(k.rpartition(":")[2], []) for k in chains}.items():
            found += _of_chain([*own, *chains[direction]], site, recorder)
        if not chains:
            found += _of_chain([f for some in first.values() for f in some], site, recorder)
    return tuple({(each.name, each.recorded, str(each.settings)): each for each in found}.values())


def _of_chain(chain: list[Any], site: str, recorder: Any) -> Iterator[ConfiguredFilter]:
    kind = type(recorder)
    place = next((n for n, each in enumerate(chain) if recorder is not None
                  and type(each) is kind), None)  # fmt: skip
    for number, each in enumerate(chain):
        if recorder is not None and type(each) is kind:
            continue
        stood: Stood = "behind it" if number < (place or 0) else "before it"
        yield ConfiguredFilter(
            site=site,
            name=f"{type(each).__module__}.{type(each).__qualname__}",
            settings=_plain(each),
            recorded="past it" if place is None else stood,
        )


def _plain(each: Any) -> dict[str, str | int | float | bool | None]:
    """Its numbers and words; what it keeps for itself is none of its settings."""
    return {
        name: value
        for name, value in vars(each).items()
        if not name.startswith("_") and isinstance(value, str | int | float | bool)
    }
