"""The vectors, folder by folder."""

from . import credentials, crosscutting, order, parameters, policies, tenancy
from .form import render

GROUPS = [tenancy, parameters, crosscutting, order, credentials]


def documents():
    """All files: path below the vectors' folder to text."""
    files = render(vector for group in GROUPS for vector in group.vectors())
    used = {path for text in files.values() for path in policies.documents() if path in text}
    unused = set(policies.documents()) - used
    assert not unused, f"no vector uses {sorted(unused)}"
    return {**policies.documents(), **files}
