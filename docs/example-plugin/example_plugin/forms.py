"""Parameters, tabs and a step of a wizard."""

from django import forms
from django.utils.translation import gettext_lazy as _

from modoboa.lib.form_utils import SeparatorField, YesNoField
from modoboa.parameters.forms import AdminParametersForm, UserParametersForm

from .models import AccountNote, Colour, DomainNote


class ExampleParameters(AdminParametersForm):
    """For everybody."""

    app = "example_plugin"

    section = SeparatorField(label=_("Notes"))
    greeting = forms.CharField(label=_("Greeting"), initial="Good morning")
    show_widget = YesNoField(label=_("Show the widget"), initial=True)


class ExamplePreferences(UserParametersForm):
    """For each account."""

    app = "example_plugin"

    nickname = forms.CharField(label=_("Nickname"), initial="", required=False)


class AccountNoteForm(forms.ModelForm):
    """The tab of an account."""

    class Meta:
        model = AccountNote
        fields = ("text",)
        labels = {"text": _("Note about the person")}

    def clean_text(self):
        """Some words are refused."""
        if "forbidden" in self.cleaned_data["text"]:
            raise forms.ValidationError(_("This word is refused by the plugin."))
        return self.cleaned_data["text"]


class DomainNoteForm(forms.ModelForm):
    """The tab of a domain."""

    class Meta:
        model = DomainNote
        fields = ("text", "colour")
        labels = {"text": _("Note about the domain"), "colour": _("Colour")}

    def save(self, user):
        """Called with the account that saves."""
        self.instance.text = self.instance.text.replace("%me%", user.username)
        return super().save()


class FirstNoteForm(forms.Form):
    """A step of the wizard of a new domain."""

    text = forms.CharField(label=_("First note"), required=False)

    def save(self, user, domain):
        """Called with who creates the domain, and the domain."""
        if self.cleaned_data["text"]:
            DomainNote.objects.create(
                domain=domain, text=self.cleaned_data["text"], colour=Colour.objects.first()
            )
