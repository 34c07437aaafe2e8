"""Heads whose small constants an exporter's optimizer took for zero, run by ONNX Runtime."""

import io
from contextlib import redirect_stdout

import pytest
import torch

from poolab.pooling import create_pool

pytest.importorskip("onnxscript", reason="needs the extra `export`")
runtime = pytest.importorskip("onnxruntime", reason="needs the extra `export`")


@pytest.mark.filterwarnings("ignore")  # the exporter's own
@pytest.mark.parametrize(
    ("name", "channels", "options"),
    [("netvlad", 16, {"clusters": 64}), ("mop", 16, {"clusters": 4}), ("bilinear", 128, {})],
)
def test_an_exported_head_gives_what_the_layer_gives(name: str, channels: int, options: dict, tmp_path):
    torch.manual_seed(0)
    given = {} if name == "bilinear" else {"channels": channels}
    head = create_pool(name, **given, **options).eval()
    maps = torch.rand(3, channels, 6, 5)
    maps[0] = 0  # a length of 0, and features of 0, where a lost constant makes NaN
    with redirect_stdout(io.StringIO()):
        batch = ({0: torch.export.Dim("batch")},)
        program = torch.onnx.export(head, (maps[:2],), dynamo=True, dynamic_shapes=batch, verbose=False)
    program.save(tmp_path / "head.onnx")
    session = runtime.InferenceSession(tmp_path / "head.onnx", providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {session.get_inputs()[0].name: maps.numpy()})
    torch.testing.assert_close(torch.from_numpy(found), head(maps).detach(), rtol=1e-5, atol=1e-6)
