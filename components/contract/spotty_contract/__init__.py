"""The words edge and cloud share: every wire shape has its one home here."""
