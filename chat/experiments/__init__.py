"""How a turn is answered where people have chosen, and what they compare.

`assignment` and `statistics` are pure; `planning` reads what holds for a turn, `results` what came
of an experiment. What writes is in `chat.services.experiments`.
"""
