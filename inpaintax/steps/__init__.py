"""Training steps: pure `step(state, sample) -> (state, metrics)`.

State is a NamedTuple of arrays, so it maps, donates and checkpoints; metrics
are float32 scalars, means over the whole batch. Factories take the modules and
optimisers; `steps.compile` puts the corruption in front and compiles. Here, and
nowhere else, losses are averaged over a batch.
"""
