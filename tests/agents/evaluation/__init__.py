"""How right the alerts are said to be is checked by hand-made cases."""
