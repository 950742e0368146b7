"""What every admin page of Acervo shares: the theme, and errors of services as messages.

The theme keeps the request on the shared admin object while it lists rows; requests of other
people run at the same time, so that is left out here.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.db import models, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from project.http.errors import ApiError

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin as ThemedModelAdmin
    from django.contrib.admin import TabularInline as ThemedTabularInline
    from django.contrib.admin import action, display
else:
    from unfold.admin import ModelAdmin as ThemedModelAdmin
    from unfold.admin import TabularInline as ThemedTabularInline
    from unfold.decorators import action, display

__all__ = [
    "AcervoAdmin",
    "AcervoTabularInline",
    "ReadOnlyAdmin",
    "RefusalForm",
    "action",
    "badge",
    "display",
    "each_done",
    "plain_decimal",
    "reflect",
    "refusals_as_messages",
]

REFUSAL = "_acervo_refusal"
TONES = ("default", "info", "success", "warning", "danger", "primary")


class RefusalForm(forms.ModelForm):
    """A model form that shows what a service refused, at the field it names; nothing is lost."""

    refusal: ApiError | None = None

    def full_clean(self) -> None:
        """Clean, then add the refusal of an earlier try of the same request."""
        super().full_clean()
        if self.refusal is not None and self.is_bound:
            field = self.refusal.field if self.refusal.field in self.fields else None
            self.add_error(field, self.refusal.message)


class AcervoAdmin(ThemedModelAdmin):
    """A model admin whose writes go through services."""

    form = RefusalForm
    show_full_result_count = False
    list_per_page = 50
    list_filter_submit = True
    warn_unsaved_form = True
    compressed_fields = False
    empty_title: Any = gettext_lazy("Nothing here yet")
    empty_words: Any = ""
    """What a list without rows tells: what would be in it, and how it gets there."""

    @property
    def media(self) -> forms.Media:
        """Return the media of the theme, and of the filters of the list."""
        media = super().media
        for each in self.list_filter:
            wanted = each[1] if isinstance(each, (tuple, list)) else each
            form = getattr(wanted, "form_class", None)
            if form is not None and hasattr(form, "Media"):
                media += forms.Media(form.Media)
        return media

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        """List rows without the theme's habit of keeping the request on this shared object."""
        above: Any = super(ThemedModelAdmin, self)
        return above.changelist_view(request, extra_context)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Show or save a row; what a service refuses comes back on the form as it was sent."""
        try:
            with transaction.atomic():
                return super().changeform_view(request, object_id, form_url, extra_context)
        except ApiError as error:
            setattr(request, REFUSAL, error)
            return super().changeform_view(request, object_id, form_url, extra_context)

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,  # noqa: FBT001, FBT002 - Django's signature
        change: bool = False,  # noqa: FBT001, FBT002
        form_url: str = "",
        obj: Any = None,
    ) -> Any:
        """Show a row, or the form of a new one, with what `form_context` adds."""
        context |= self.form_context(request, obj, context["adminform"].form)
        return super().render_change_form(request, context, add, change, form_url, obj)

    def form_context(self, request: HttpRequest, obj: Any, form: Any) -> dict[str, Any]:
        """Return what the page of a row shows around its form; without `obj`, of a new row."""
        return {}

    def get_form(
        self,
        request: HttpRequest,
        obj: Any = None,
        change: bool = False,  # noqa: FBT001, FBT002 - Django's signature
        **kwargs: Any,
    ) -> Any:
        """Return the form class, with the refusal of this request where there is one."""
        form = super().get_form(request, obj, change=change, **kwargs)
        refusal = getattr(request, REFUSAL, None)
        return form if refusal is None else type(form.__name__, (form,), {"refusal": refusal})

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> Any:
        """Delete a row; a refusal is told on its page."""
        try:
            return super().delete_view(request, object_id, extra_context)
        except ApiError as error:
            messages.error(request, error.message)
            return self.redirect_to(object_id)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        """Delete the chosen rows one by one, as `delete_model` does, and tell what was refused."""
        each_done(request, queryset, lambda row: self.delete_model(request, row), quiet=True)

    def redirect_to(self, object_id: object) -> HttpResponseRedirect:
        """Return the way to the page of a row."""
        return HttpResponseRedirect(self.address("change", object_id))

    def address(self, page: str, *args: object) -> str:
        """Return the address of one of this model's pages."""
        opts = self.opts
        name = f"{self.admin_site.name}:{opts.app_label}_{opts.model_name}_{page}"
        return reverse(name, args=args)

    def page_context(self, request: HttpRequest, **extra: Any) -> dict[str, Any]:
        """Return what every page of the admin needs, for pages of our own.

        The header leads to the list and to the `original`; it says the `title` where that is news.
        """
        title = str(extra.get("title", ""))
        said = {
            str(self.opts.verbose_name_plural).casefold(),
            str(extra.get("original")).casefold(),
        }
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "app_label": self.opts.app_label,
            "media": self.media,
            "page_title": "" if title.casefold() in said else title,
            **extra,
        }


class AcervoTabularInline(ThemedTabularInline):
    """Rows that belong to the row of the page."""

    extra = 0
    tab = True


class ReadOnlyAdmin(AcervoAdmin):
    """Rows that the product writes by itself: shown, never made or changed by hand.

    Who may see them follows Django's view permission, which superusers have.
    """

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False


@contextmanager
def refusals_as_messages(request: HttpRequest) -> Iterator[None]:
    """Tell what a service refuses as a message."""
    try:
        yield
    except ApiError as error:
        messages.error(request, error.message)


def each_done(
    request: HttpRequest,
    rows: Iterable[models.Model],
    work: Callable[[Any], object],
    *,
    quiet: bool = False,
) -> int:
    """Do `work` on each row in a transaction of its own and tell the result; return how many went.

    `quiet` leaves the good news to the caller.
    """
    done = 0
    for row in rows:
        name = str(row)
        try:
            with transaction.atomic():
                work(row)
        except ApiError as error:
            messages.error(request, _("“%(name)s”: %(why)s") % {"name": name, "why": error.message})
        else:
            done += 1
    if done and not quiet:
        text = ngettext("%(count)s row done.", "%(count)s rows done.", done)
        messages.success(request, text % {"count": done})
    return done


def reflect(obj: models.Model, stored: models.Model) -> None:
    """Put the stored values on the object that the admin goes on with."""
    for field in stored._meta.concrete_fields:
        if field.attname in stored.__dict__:
            setattr(obj, field.attname, stored.__dict__[field.attname])
    obj._state.adding = False


def plain_decimal(value: Any) -> str:
    """Return a small amount as the reader's language writes it, without needless zeros."""
    return number_format(f"{value:.6f}".rstrip("0").rstrip(".")) if value else "–"


def badge(text: object, tone: str = "default") -> SafeString:
    """Return a small coloured word."""
    return format_html('<span class="ac-badge ac-{}">{}</span>', tone, text)


def tone_of(tones: Mapping[Any, str], value: object) -> str:
    """Return the tone that a vocabulary gives to a value."""
    return tones.get(str(value), "default")


def posted_only(request: HttpRequest) -> HttpResponse | None:
    """Return the answer to whoever asks for a change by following a link; None for a POST."""
    return None if request.method == "POST" else HttpResponse(status=405, headers={"Allow": "POST"})
