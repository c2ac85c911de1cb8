"""SALLY by MadMiner on events that a file holds, for an interpreter that has MadMiner: `python FILE IN.npz OUT.npz`.

IN has x and t (features and joint scores of training events), at (features where the score is wanted), and epochs,
batch_size and hidden. OUT gets the score and the CPU seconds of training.
"""

import sys
import time

import numpy as np
from madminer.ml import ScoreEstimator


def main() -> None:
    """Trains, and evaluates."""
    given = np.load(sys.argv[1])
    estimator = ScoreEstimator(n_hidden=tuple(int(n) for n in given["hidden"]), activation="tanh")
    began = time.process_time()
    estimator.train(
        method="sally",
        x=given["x"],
        t_xz=given["t"],
        n_epochs=int(given["epochs"]),
        batch_size=int(given["batch_size"]),
        validation_split=0.2,
        n_workers=0,
        verbose="none",
    )
    seconds = time.process_time() - began
    np.savez(sys.argv[2], score=np.asarray(estimator.evaluate_score(x=given["at"])), seconds=seconds)


if __name__ == "__main__":
    main()
