"""Telling people and machines outside what happens here: targets, outbox, senders, dispatcher."""
