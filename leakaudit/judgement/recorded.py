"""What of a configuration may stand in a record: settings, never where the data lie."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from leakaudit.plugins import Kind, load

NOT_RECORDED = "(not recorded)"


def recorded(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration without what may name patients or hospitals.

    Paths of the data and the key of the pseudonyms are left out, of a policy's path all but the
    file's name. The cohort's name and fingerprint say which data it were.
    """
    content = dict(configuration)
    if isinstance(cohort := content.get("cohort"), Mapping):
        private = load(Kind.COHORT, str(cohort.get("use"))).private
        content["cohort"] = {
            key: NOT_RECORDED if key in private and value else value
            for key, value in cohort.items()
        }
    if isinstance(policy := content.get("policy"), str):
        content["policy"] = PurePath(policy).name
    return content
