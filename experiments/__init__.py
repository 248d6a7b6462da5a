"""Programs: flags and wiring only. What they do lives in `inpaintax`."""
