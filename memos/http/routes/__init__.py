"""One module per noun; each defines `router`."""
