"""Tables of the plugin; rows go with the domains and accounts that they are about."""

from django.conf import settings
from django.db import models

from admin.models import Domain


class Colour(models.Model):
    """A word that a domain can be tagged with."""

    name = models.CharField(max_length=20, unique=True)

    def __str__(self):
        return self.name


class DomainNote(models.Model):
    """What somebody wrote about a domain."""

    domain = models.OneToOneField(Domain, on_delete=models.CASCADE, related_name="example_note")
    text = models.CharField(max_length=200, blank=True)
    colour = models.ForeignKey(Colour, on_delete=models.SET_NULL, null=True, blank=True)

    def __str__(self):
        return self.text


class AccountNote(models.Model):
    """What somebody wrote about an account."""

    account = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="example_note"
    )
    text = models.CharField(max_length=200, blank=True)

    def __str__(self):
        return self.text


class Event(models.Model):
    """What a receiver was told."""

    name = models.CharField(max_length=60)
    detail = models.CharField(max_length=200)

    def __str__(self):
        return f"{self.name}: {self.detail}"
