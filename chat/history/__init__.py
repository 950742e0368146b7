"""Reading conversations: a page of messages in one statement, kept while nothing changes."""
