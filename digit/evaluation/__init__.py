"""How well hands are found: on annotated photographs and on clips."""
