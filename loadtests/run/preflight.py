"""What can be known to go wrong before anything is sent, each in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import redis
from pydantic import ValidationError

from engine.errors import NotPossible
from loadtests.generator.link import client
from loadtests.run.broker import USER, Broker
from loadtests.run.places.place import Place, unconsumed
from settings.loads import profiles
from settings.model.load import Load, LoadProfile
from settings.names import nearest
from settings.rules.load import unfit


def known(load: Load, settings: Mapping[str, Any]) -> dict[str, LoadProfile]:
    """Return name → workload: those of an inventory, and those that are said beside it."""
    found = profiles(load)
    try:
        said = Load.model_validate({"profiles": settings.get("load_profiles", [])})
    except ValidationError:
        return found  # staging says what is wrong with them, and where
    return {**found, **{profile.name: profile for profile in said.profiles}}


def chosen(there: Mapping[str, LoadProfile], name: str) -> LoadProfile:
    """Return a workload by its name.

    Raises:
        NotPossible: if there is none; the message names the nearest.
    """
    if name in there:
        return there[name]
    near = nearest(name, there)
    fix = f"write PROFILE={near}" if near else f"choose of {', '.join(there)}"
    raise NotPossible(f"PROFILE={name}: there is no such workload: {fix}.")


def fits(place: Place, profile: LoadProfile) -> None:
    """Refuse a workload that cannot be sent to a deployment.

    Raises:
        NotPossible: with a sentence for each reason.
    """
    if wrong := unfit(place.fleet, profile):
        raise NotPossible("\n".join(wrong))


def reach(place: Place) -> list[str]:
    """See that broker and results can be reached and take our passwords; return what a person should know.

    Raises:
        NotPossible: naming who does not answer, or refuses.
    """
    target = place.target
    for url in dict.fromkeys((target.broker, target.results)):
        user = urlsplit(url.split(";")[0]).username or ""
        _ask(place, _where(url), user, lambda url=url: client(target, url).ping())
    broker = Broker(place.fleet, place.host)
    found = []
    try:
        _ask(place, _where(target.broker), USER, lambda: found.append(broker.look()))
    finally:
        broker.close()
    (look,) = found
    waiting = [f"{count} in {queue}" for queue, count in look.backlog.items() if count]
    return [f"tasks of others wait already: {', '.join(waiting)}; what they take counts as ours."] if waiting else []


def _ask(place: Place, where: str, user: str, ask: Any) -> None:
    again = f"make deploy ENV={place.env}"
    start = "make up starts it" if place.env == "local" else f"start it, or `{again}`"
    try:
        ask()
    except redis.AuthenticationError as error:
        raise NotPossible(
            f"Redis at {where} refuses the user {user or 'default'} ({error}): its password is not the inventory's; "
            f"`{again}` makes it so."
        ) from None
    except (redis.ConnectionError, redis.TimeoutError, OSError) as error:
        said = str(error).split(" : ", 1)[0].rstrip(".")
        raise NotPossible(f"Redis at {where} cannot be reached ({said}): {start}.") from None
    except redis.RedisError as error:
        raise NotPossible(f"Redis at {where} refuses what the user {user} asks ({error}): `{again}`.") from None


def _where(url: str) -> str:
    """Return the addresses in a URL, without its password."""
    return ", ".join(part.rpartition("@")[2].split("/")[0].split("://")[-1] for part in url.split(";"))


def warnings(place: Place, profile: LoadProfile) -> list[str]:
    """Return what will go wrong, and what is for the objectives to find."""
    queues = unconsumed(place.fleet, profile, place.target)
    return [f"no worker consumes {', '.join(queues)}: what {profile.name} sends there will be lost."] if queues else []
