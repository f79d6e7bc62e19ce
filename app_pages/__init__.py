"""The page: what is drawn where, and what a click does. Wiring only; the rules are in tutor/session."""
