"""What pytest leaves out where a part is missing: not every build of torch brings Triton."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("triton") else ["src/poolab/pooling/fused/triton_math.py"]
