"""``python -m digit.training``: train digit-lite and export its averaged weights."""

import argparse
import sys
from pathlib import Path

from digit.errors import UserError


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m digit.training", description=__doc__)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders written by python -m digit.synth")
    parser.add_argument("--validation", type=Path, help="a folder of held-out pictures")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run; an existing run is resumed")
    parser.add_argument("--trunk", type=Path, help="MediaPipe's hand_landmark_full.tflite to start the trunk from")
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--decay", type=int, default=1_500, help="last steps over which the rate falls to zero")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--trunk-rate", type=float, default=0.0, help="learning rate of the trunk; 0 keeps it frozen")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--export", type=Path, help="also write the averaged weights as safetensors here at the end")
    args = parser.parse_args(argv)
    try:
        from digit.training.export import export
        from digit.training.train import TrainConfig, train

        config = TrainConfig(
            data=tuple(args.data),
            validation=args.validation,
            out=args.out,
            steps=args.steps,
            decay=args.decay,
            batch=args.batch,
            rate=args.rate,
            trunk_rate=args.trunk_rate,
            seed=args.seed,
            threads=args.threads,
            workers=args.workers,
            device=args.device,
        )
        weights = train(config, args.trunk)
        if args.export is not None:
            export(weights, args.export, config)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped; run the same command again to go on from the last checkpoint.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
