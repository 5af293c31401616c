"""A folder is not a person: whose a name on disk is, which visit, and where."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from leakaudit.errors import ConfigurationError, DataError


@dataclass(frozen=True)
class Owner:
    """Whose a sample is, in the names found on disk; they stay in this package.

    Attributes:
        person: everything of one person goes into one group.
        study: the visit; None where there is only one.
        site: where it was scanned; None where unknown.
    """

    person: str
    study: str | None = None
    site: str | None = None


# Names of public data sets that say person and time point.
_KNOWN = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?:^|/)(?P<person>BraTS-[A-Za-z]+-\d+)-(?P<study>\d{3})$",
        r"(?:^|/)(?P<person>UPENN-GBM-\d+)_(?P<study>\d{2})$",
        r"(?:^|/)(?P<person>UCSF-PDGM-\d+)(?:_(?P<study>FU\w+?))?(?:_nifti)?$",
        r"(?:^|/)(?P<person>sub-[A-Za-z0-9]+)(?:[/_](?P<study>ses-[A-Za-z0-9]+))?(?:[/_].*)?$",
    )
)
_VISIT = (
    r"(?:(?:visit|session|ses|tp|time[-_ ]?point|scan|exam|study|fu|follow[-_ ]?up|week|month|year"
    r"|day|v|t)[-_ ]?\d+|baseline|follow[-_ ]?up|pre|post|pre[-_ ]?op|post[-_ ]?op"
    r"|(?:19|20)\d{2}(?:[-_.]?[01]\d(?:[-_.]?[0-3]\d)?)?)"
)
# A visit below a person's folder, or at the end of a name; used only where it joins names.
_GENERIC = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"^(?P<person>.+)/(?P<study>{_VISIT})$",
        rf"^(?P<person>.*[^-_ /])[-_ ](?P<study>{_VISIT})$",
    )
)


def plain(name: str) -> str:
    """A name without the differences that nobody sees: spaces at the ends, composed accents."""
    parts = unicodedata.normalize("NFC", name).split("/")
    return "/".join(re.sub(r"\s+", " ", part).strip() for part in parts)


def owners_of(names: Iterable[str], pattern: str | None = None) -> dict[str, Owner]:
    """Person, study and site of every name on disk.

    Without a pattern, names that are known from public data sets, and names or folders that end
    in a visit or date, are joined where that makes one person of several names.

    Args:
        names: paths below the cohort's folder, with `/`.
        pattern: regular expression with a group `person` and optionally `study` and `site`.

    Raises:
        ConfigurationError: the pattern is none, or lacks the group.
        DataError: a name does not fit the pattern, or two persons differ in case alone.
    """
    clean = {name: plain(name) for name in names}
    if pattern is not None:
        found = {name: _matched(compiled(pattern), own, name) for name, own in clean.items()}
    else:
        found = {name: Owner(own) for name, own in clean.items()}
        for rules in (_KNOWN, _GENERIC):
            joined = _joined(clean, rules)
            if len({owner.person for owner in joined.values()}) < len(set(clean.values())):
                found = joined
                break
    folded: dict[str, str] = {}
    for owner in found.values():
        other = folded.setdefault(owner.person.casefold(), owner.person)
        if other != owner.person:
            raise DataError(
                "names of two persons must not differ in upper and lower case alone",
                found=f"{other!r} and {owner.person!r}",
                remedy="rename one, or say who is who with `person_pattern`",
            )
    return found


def compiled(pattern: str) -> re.Pattern[str]:
    """The person pattern of a configuration.

    Raises:
        ConfigurationError: it is no regular expression, or lacks the group `person`.
    """
    try:
        expression = re.compile(pattern)
    except re.error as problem:
        raise ConfigurationError(
            "`person_pattern` must be a regular expression",
            found=f"{pattern!r}: {problem}",
            remedy="see docs/cohorts.md for examples",
        ) from None
    if "person" not in expression.groupindex:
        raise ConfigurationError(
            "`person_pattern` must have a group `person`",
            found=repr(pattern),
            remedy=r"write (?P<person>...), and (?P<study>...), (?P<site>...) where names say it",
        )
    return expression


def _matched(expression: re.Pattern[str], name: str, written: str) -> Owner:
    match = expression.search(name)
    if match is None or not match["person"]:
        raise DataError(
            "every name must fit `person_pattern`",
            found=f"{written!r} does not fit {expression.pattern!r}",
            remedy="correct the pattern, or leave the file out with `exclude`",
        )
    return _owner(match)


def _owner(match: re.Match[str]) -> Owner:
    groups = match.groupdict()
    return Owner(groups["person"], groups.get("study"), groups.get("site"))


def _joined(names: Mapping[str, str], rules: tuple[re.Pattern[str], ...]) -> dict[str, Owner]:
    first: Callable[[str], re.Match[str] | None] = lambda own: next(  # noqa: E731
        (match for rule in rules if (match := rule.search(own))), None
    )
    return {
        name: _owner(match) if (match := first(own)) else Owner(own) for name, own in names.items()
    }
