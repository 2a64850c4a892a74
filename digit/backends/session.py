"""What a runtime offers, what the app gets, and how one runtime takes over from another while the app runs."""

from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Protocol

import numpy as np

from digit.prediction import CROP_SIZE, DepthAxis, Prediction, Prior
from digit.skeleton import ROOTS
from digit.variants import find

PRIOR_SHAPE = (len(ROOTS), 4)
_NO_PRIOR = np.zeros(PRIOR_SHAPE, np.float32)
_NO_PRIOR.flags.writeable = False


class Session(Protocol):
    """A network opened on one runtime."""

    @property
    def at_once(self) -> int:
        """So many crops may be under way; those behind the first wait within the runtime."""
        ...

    def start(self, crop: np.ndarray, prior: np.ndarray) -> Callable[[], Sequence[np.ndarray]]:
        """Begin with (1, 256, 256, 3) uint8 and (1, 42, 4) float32; neither may change until the answer is taken.

        The callable waits for the fields of `digit.predict.PredictionTensors`. Answers are taken in the order of the
        starts. They may lie in buffers of the session, and are good until the next start.
        """
        ...

    def close(self) -> None: ...


class _Asked:
    """One crop that the network was asked about."""

    def __init__(self, crop: np.ndarray, prior: np.ndarray) -> None:
        self.crop, self.prior = crop, prior
        self.wait: Callable[[], Sequence[np.ndarray]] | None = None  # None until the session has begun with it
        self.prediction: Prediction | None = None


class LoadedBackend:
    """A network ready to run; a `digit.prediction.Backend`. Use and close it in the thread that loaded it.

    Crops may be asked about before the answers to earlier ones are taken: they line up, so that the network need not
    wait for whoever asks.
    """

    def __init__(self, session: Session, name: str, model: str, weights_sha256: str, why: str):
        self.name = name  # a key of `digit.backends.available`
        self.model = model
        self.weights_sha256 = weights_sha256
        self.why = why  # one sentence: why this backend was chosen
        self._depth_axis: DepthAxis = find(model).depth_axis
        self.session: Session | None = session
        self._asked: deque[_Asked] = deque()  # without an answer, in turn; the session has begun with the first ones

    def __call__(self, crop: np.ndarray, prior: Prior | None = None) -> Prediction:
        """Both hands in one crop. Raises as `start`."""
        return self.start(crop, prior)()

    def start(self, crop: np.ndarray, prior: Prior | None = None) -> Callable[[], Prediction]:
        """Begin with a crop, or line it up behind those under way; calling what this returns waits for the answer.

        The crop and the prior are not copied: leave them alone until the answer is taken.

        Raises:
            ValueError: the crop is not (256, 256, 3) uint8, or the prior not (42, 4) finite float32.
            RuntimeError: the backend is closed.
        """
        asked = _Asked(*_checked(crop, prior))
        self._asked.append(asked)
        self._begin()

        def answer() -> Prediction:
            while asked.prediction is None:
                self._answer_first()
            return asked.prediction

        return answer

    def _begin(self) -> None:
        """Give the session as many crops as it takes. Raises RuntimeError when the backend is closed."""
        if self.session is None:
            raise RuntimeError(f"the {self.name} backend is closed")
        for asked in islice(self._asked, self.session.at_once):
            if asked.wait is None:
                asked.wait = self.session.start(asked.crop[None], asked.prior[None])

    def _answer_first(self) -> None:
        """Wait for the first crop in the line, and give the session the next one."""
        self._begin()
        first = self._asked.popleft()
        assert first.wait is not None
        answers = (_readonly(answer[0]) for answer in first.wait())
        joints_2p5d, confidence, part_labels, handedness, root_depth_mm, places = answers
        self._begin()
        first.prediction = Prediction(
            joints_2p5d, confidence, part_labels, handedness, float(root_depth_mm), self._depth_axis, places
        )

    def close(self) -> None:
        """Free the network; a second call does nothing."""
        if self.session is not None:
            self._asked.clear()
            self.session.close()
            self.session = None


class Build(Protocol):
    """A faster session in the making, somewhere else."""

    def done(self) -> bool:
        """Whether `take` has something to say. Never waits."""
        ...

    def take(self) -> Session | str:
        """The new session, opened and checked in the calling thread, or in a few words why there is none."""
        ...

    def cancel(self) -> None: ...


class Upgrading:
    """Runs on one session until a faster one is built, then on that. See `Session`."""

    at_once = 1  # so that none is under way when the one session is closed and the other takes over

    def __init__(self, session: Session, build: Build, tell: Callable[[str], None]):
        """``tell`` gets "" when the new session has taken over, or why it will not."""
        self._session, self._build, self._tell = session, build, tell
        self._building = True

    def start(self, crop: np.ndarray, prior: np.ndarray) -> Callable[[], Sequence[np.ndarray]]:
        if self._building and self._build.done():
            self._building = False
            new = self._build.take()
            if isinstance(new, str):
                self._tell(new)
            else:
                self._session.close()
                self._session = new
                self._tell("")
        return self._session.start(crop, prior)

    def close(self) -> None:
        if self._building:
            self._building = False
            self._build.cancel()
        self._session.close()


def _checked(crop: np.ndarray, prior: Prior | None) -> tuple[np.ndarray, np.ndarray]:
    prior = _NO_PRIOR if prior is None else prior
    for what, array, shape, dtype in (
        ("crop", crop, (CROP_SIZE, CROP_SIZE, 3), np.uint8),
        ("prior", prior, PRIOR_SHAPE, np.float32),
    ):
        if array.shape != shape or array.dtype != dtype:
            raise ValueError(f"a {what} is {shape} {np.dtype(dtype)}; got {array.shape} {array.dtype}")
    if not np.isfinite(prior).all():
        raise ValueError("a prior must be finite; give weight 0 to a joint that was not seen")
    return np.ascontiguousarray(crop), np.ascontiguousarray(prior)


def _readonly(array: np.ndarray) -> np.ndarray:
    array = np.array(array)
    array.flags.writeable = False
    return array
