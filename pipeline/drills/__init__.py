"""Drills: provoke every control and every way to stop on a scratch desk, and see each of them fire."""
