"""The vectors, folder by folder."""

from . import (
    allmcp, credentials, crosscutting, http, lifecycle, limit_policies, limits, mcpstack, order, parameters, policies, proofs, rules_keys, rules_limits,
    rules_network, runstack, runtype, tenancy, windows,
)
from .form import render

GROUPS = [
    tenancy, parameters, crosscutting, order, credentials, limits, windows, rules_keys, rules_limits, rules_network,
    runstack, mcpstack, runtype, allmcp, lifecycle, proofs, http,
]


def documents():
    """All files: path below the vectors' folder to text."""
    files = render(vector for group in GROUPS for vector in group.vectors())
    texts = {**policies.documents(), **limit_policies.documents()}
    unused = [path for path in texts if not any(f"../{path}" in text for text in files.values())]
    assert not unused, f"no vector uses {unused}"
    return {**texts, **files}
