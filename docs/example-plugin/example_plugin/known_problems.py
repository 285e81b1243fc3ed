"""Repairs that the plugin knows."""

from example_plugin.models import AccountNote
from modoboa.core.repair import Problem


def blank_notes(actor, dry_run):
    """Remove notes that say nothing."""
    for note in AccountNote.objects.filter(text=""):
        yield f"the blank note about {note.account} is removed"
        if not dry_run:
            note.delete()


known_problems = [Problem("Notes about accounts that say nothing", blank_notes)]
