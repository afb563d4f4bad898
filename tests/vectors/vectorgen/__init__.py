"""The vectors, folder by folder."""

from . import crosscutting, parameters, tenancy
from .form import render

GROUPS = [tenancy, parameters, crosscutting]


def documents():
    """All files: path below the vectors' folder to text."""
    return render(vector for group in GROUPS for vector in group.vectors())
