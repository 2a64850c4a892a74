import json

import numpy as np
import pytest
import torch

from digit.errors import UserError
from digit.lite import DigitLite
from digit.training.dataset import CropDataset, read_index
from digit.training.losses import Losses, losses, total
from digit.training.train import EndlessSampler, TrainConfig, rate_at, train


def test_losses_ignore_what_is_absent(tiny_set):
    """Moving the joints of a hand that is not there changes nothing."""
    data = CropDataset(read_index([tiny_set]), augment=False, prior=False)
    batch = {k: v.unsqueeze(0) for k, v in data[2].items()}  # the left hand alone
    assert batch["hands"].tolist() == [[0.0, 1.0]]
    torch.manual_seed(0)
    net = DigitLite().eval()
    output = net(batch["image"].permute(0, 3, 1, 2) / 255.0)
    before = losses(output, batch)
    moved = batch | {"joints": batch["joints"].clone()}
    moved["joints"][:, :21] += 50.0
    after = losses(output, moved)
    for name in Losses._fields:
        assert getattr(before, name) == getattr(after, name), name
    assert before.root_depth == 0


def test_a_few_steps_lower_the_loss_and_resuming_goes_on(tiny_set, tmp_path):
    config = TrainConfig(
        data=(tiny_set,), validation=None, out=tmp_path, steps=6, decay=1, warmup=1, batch=4, workers=0, threads=1
    )
    torch.manual_seed(0)
    weights = train(config)
    first = torch.load(tmp_path / "state.pt", weights_only=True)
    assert first["step"] == 6
    assert set(torch.load(weights, weights_only=True)) == set(DigitLite().state_dict())
    longer = TrainConfig(**{name: getattr(config, name) for name in TrainConfig.__slots__} | {"steps": 40})
    train(longer)
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "pose" in row] == [6, 40]
    assert rows[-1]["heatmap"] < rows[0]["heatmap"]


def test_a_foreign_checkpoint_is_refused_in_a_sentence(tiny_set, tmp_path):
    torch.save({"net": {}}, tmp_path / "state.pt")
    with pytest.raises(UserError, match="--out"):
        train(TrainConfig(data=(tiny_set,), validation=None, out=tmp_path, steps=1, workers=0))


def test_no_data_is_a_sentence(tmp_path):
    with pytest.raises(UserError, match=r"digit\.synth"):
        read_index([tmp_path])


def test_the_sampler_resumes_where_it_stopped():
    whole = iter(EndlessSampler(5, 3, 0))
    stream = [next(whole) for _ in range(17)]
    later = iter(EndlessSampler(5, 3, 7))
    assert [next(later) for _ in range(10)] == stream[7:]
    assert sorted(i % 5 for i in stream[5:10]) == [0, 1, 2, 3, 4]


def test_the_rate_rises_stays_and_falls(tmp_path):
    config = TrainConfig(data=(), validation=None, out=tmp_path, steps=1000, decay=100, warmup=10)
    rates = np.array([rate_at(step, config) for step in range(1001)])
    assert rates[0] < 0.2 and np.all(rates[10:900] == 1.0) and rates[-1] == 0 and np.all(np.diff(rates[900:]) <= 0)


def test_total_weighs_every_term():
    zero = Losses(*(torch.zeros(()) for _ in Losses._fields))
    for name in Losses._fields:
        assert total(zero._replace(**{name: torch.ones(())})) > 0
