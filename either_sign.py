from nplm.data.sample import Sample


def draw(rng):
    return Sample([[0.5, 0.0], [1.0, 0.3]], [5.0, rng.choice([-1.0, 1.0])], ("x", "y"))
