"""Stable import path for plugins: taking addresses apart, and headers of messages."""

from core.mail_text import decode, prepare_addresses, set_email_headers, split_local_part, split_mailbox

__all__ = ["decode", "prepare_addresses", "set_email_headers", "split_local_part", "split_mailbox"]
