"""What a network's own numbers are worth as probabilities: six numbers that come with its weights.

`digit.training.calibration` fits them on rendered crops, `digit.checkpoint` keeps them in the weights' header, and
`digit.predict.Predictor` applies them inside the graph, so that every backend and export gives the same probabilities.
"""

from dataclasses import asdict, dataclass

#: A joint counts as right when it lies within this share of the hand's size of its true place, in the picture. The
#: hand's size is the longer side of the box around its true joints.
WITHIN = 0.1


@dataclass(frozen=True, slots=True)
class Calibration:
    """Two logistic maps, sigma(z).

    confidence: probability that the joint is right (`WITHIN`) if its hand is there,
        z = mass * logit(m) + size * ln(s) + prior * w + offset
    with m the heatmap's mass at the joint (`digit.heatmap.read`), s the longer side of the box around the hand's
    predicted joints over the crop's side, and w the joint's weight in the landmark prior. A small hand has less room
    for error, a collapsed one is none. A heatmap that was told where to peak says less by its peak.

    handedness: probability that the hand is in the crop, z = presence * logit + presence_offset.
    """

    mass: float  # positive: more mass at a joint never makes it less certain
    size: float
    prior: float
    offset: float
    presence: float  # positive
    presence_offset: float

    def as_dict(self) -> dict[str, float]:
        return asdict(self)
