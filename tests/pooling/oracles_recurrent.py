"""What RNNPool should give: float64 numpy, one window and one step of a sweep at a time, nothing from poolab."""

import numpy as np

from tests.pooling.oracles import Shape
from tests.pooling.oracles_learned import numbers, sigma

PLANES = {"rnnpool"}


def fastgrnn(cell: object, sequence: list[np.ndarray]) -> np.ndarray:
    """The last state of a FastGRNN that begins at 0 (algorithm 1 of the paper, lines 1 to 9)."""
    w, u, b_z, b_h = map(numbers, (cell.weight_ih, cell.weight_hh, cell.bias_z, cell.bias_h))
    h = np.zeros(len(w))
    for x in sequence:
        z = sigma(w @ x + u @ h + b_z)
        h = z * h + (1 - z) * np.tanh(w @ x + u @ h + b_h)
    return h


def rnnpool(x: np.ndarray, shape: Shape, m: object) -> np.ndarray:
    """Lines 12 to 18 for the elements of each window that are on the map."""
    rows, columns = shape.all_places(x)
    out = []
    for n in range(len(x)):
        for i in rows:
            for j in columns:
                up = [a for a in i if 0 <= a < x.shape[2]]
                along = [b for b in j if 0 <= b < x.shape[3]]
                p_r = [fastgrnn(m.rnn1, [x[n, :, a, b] for b in along]) for a in up]
                p_c = [fastgrnn(m.rnn1, [x[n, :, a, b] for a in up]) for b in along]
                q = [fastgrnn(m.rnn2, p) for p in (p_r, p_r[::-1], p_c, p_c[::-1])]
                out.append(np.concatenate(q))
    y = np.array(out).reshape(len(x), len(rows), len(columns), -1).transpose(0, 3, 1, 2)
    return y if m.hidden2 else y[:, : x.shape[1]]


POSITIONAL = {"rnnpool": rnnpool}
