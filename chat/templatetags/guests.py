"""Whether there is a place for guests, for pages that know nothing of chat."""

from django import template

from chat.guest_pages import guests_are_welcome

register = template.Library()
register.simple_tag(guests_are_welcome)
