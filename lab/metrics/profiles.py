"""
Where the CPU time of a service went, as py-spy saw it, and how that differs between two variants.

Window: samples taken in the phase, as planned.
Whose: the service's threads while they ran Python; a thread that waits is in no sample.
Censored: never.
Minimum: 50 samples: a share of them is known to 14 points either way (95 %), and to 4 points from 600 samples on.
"""

from __future__ import annotations

from lab.metrics.declare import metric, name_of
from lab.metrics.fold import Profile, own_shares, parse, share_of
from lab.metrics.measured import Measured, too_few
from lab.metrics.window import Window, window
from lab.model import Service

SAMPLES = 50


class _Missing(Exception):
    """There is no profile to look at, or too little of one, and why."""

    def __init__(self, why: str, n: int | None = None) -> None:
        super().__init__(why)
        self.n = n


@metric("")
def profile_share(window: Window, service: Service | str, function: str) -> Measured:
    """Share of a service's profile samples, 0 to 1, that have a function anywhere on the stack."""
    try:
        profile = _profile(window, service)
    except _Missing as missing:
        return Measured(None, why=str(missing), n=missing.n)
    return Measured(share_of(profile, function), n=profile.samples)


@metric("points")
def profile_fall_points(window: Window, service: Service | str, function: str, since: str) -> Measured:
    """By how many points (hundredths of all samples) a function's share is lower than in the same phase of `since`.

    `since` is a variant; the share is that of `profile_share`. Below 0 where the share has grown.
    """
    try:
        now, before = _profile(window, service), _profile(_same_phase(window, since), service)
    except _Missing as missing:
        return Measured(None, why=str(missing), n=missing.n)
    fall = 100 * (share_of(before, function) - share_of(now, function))
    return Measured(fall, n=min(now.samples, before.samples))


@metric("")
def profile_per_request(window: Window, service: Service | str, function: str) -> Measured:
    """Samples of a service's profile that have a function anywhere on the stack, for each operation due in the phase.

    Unlike a share it does not grow where something else shrinks: two variants can be compared by it.

    Minimum: 50 samples of any function, and 20 operations.
    """
    try:
        profile = _profile(window, service)
    except _Missing as missing:
        return Measured(None, why=str(missing), n=missing.n)
    n = len(window.of_phase)
    few = too_few(n, "operations were due", window.text)
    return few or Measured(share_of(profile, function) * profile.samples / n, n=profile.samples)


@metric("")
def profile_fall_rank(window: Window, service: Service | str, function: str, since: str) -> Measured:
    """Which place a function has in the difference of two flame graphs, the largest fall since variant `since` first.

    By own samples for each operation due in the phase: samples that ended in the function. 1 means that the difference
    points at it, and at no other.

    Minimum: 50 samples of any function, and 20 operations, in both variants.
    """
    here, there = window, _same_phase(window, since)
    try:
        now, before = _profile(here, service), _profile(there, service)
    except _Missing as missing:
        return Measured(None, why=str(missing), n=missing.n)
    for each in (here, there):
        few = too_few(len(each.of_phase), "operations were due", each.text)
        if few:
            return few
    after, own = _own_per_request(here, now), _own_per_request(there, before)
    if function not in own:
        return Measured(None, why=f"no sample of {name_of(service)} in {since} ended in {function}")
    falls = {name: count - after.get(name, 0.0) for name, count in own.items()}
    rank = sum(fall >= falls[function] for fall in falls.values())
    return Measured(float(rank), n=min(now.samples, before.samples))


def _own_per_request(of: Window, profile: Profile) -> dict[str, float]:
    each = profile.samples / len(of.of_phase)
    return {name: share * each for name, share in own_shares(profile).items()}


def _same_phase(here: Window, variant: str) -> Window:
    return window(here.run, variant, here.phase.name, here.trial)


def _profile(of: Window, service: Service | str) -> Profile:
    """Raises _Missing where there is none, or one of fewer than `SAMPLES`."""
    name = name_of(service)
    text = None if of.missing else of.profile(name)
    if text is None:
        raise _Missing(of.missing or f"{name} was not profiled in {of.text}")
    profile = parse(text)
    if profile.samples < SAMPLES:
        count = f"only {profile.samples:,} samples" if profile.samples else "no sample"
        why = f"the profile of {name} in {of.text} has {count}; a share takes at least {SAMPLES}"
        raise _Missing(why, profile.samples)
    return profile
