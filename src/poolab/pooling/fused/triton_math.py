# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"
"""Functions that the generated Triton kernels call: those that Triton lacks, random numbers, runtime division.

Triton offers exp, log and square roots that are compiled and interpreted alike; expm1, log1p, tanh and pow only as
calls into CUDA's library, which its interpreter does not know. Here they are formulas, so that what the tests run
without a GPU is what runs on one. Largest errors against float64, in units of the dtype's epsilon, with numpy's exp and
log under them as in the interpreter (float32, float64): expm1 2.2, 1.7; log1p 2.1, 1.7; tanh 3.0, 2.3; pow 2.4, 72.
"""

import triton
import triton.language as tl


@triton.jit
def quotient(a, b):
    """Compute the quotient rounded to nearest: Triton's own in float32 may be off by two units, and x / x not 1."""
    return a / b if a.dtype == tl.float64 else tl.div_rn(a, b)  # one expression: both of two returns are compiled


@triton.jit
def root(a):
    """Compute the square root, rounded to nearest."""
    return tl.sqrt(a) if a.dtype == tl.float64 else tl.sqrt_rn(a)


@triton.jit
def expm1(a):
    """Compute exp(a) - 1 by Kahan's formula: (u - 1) / log(u) is smooth, so rounding u = exp(a) does no harm."""
    u = tl.exp(a)
    less = u - 1
    ordinary = less * quotient(a, tl.log(u))
    return tl.where(less == 0, a, tl.where((less == -1) | (u == float("inf")), less, ordinary))


@triton.jit
def log1p(a):
    """Compute log(1 + a) by Kahan's formula, likewise."""
    u = a + 1
    less = u - 1
    ordinary = tl.log(u) * quotient(a, less)
    return tl.where(less == 0, a, tl.where(u == float("inf"), u, ordinary))


@triton.jit
def tanh(a):
    """Compute the sign of a times -e / (e + 2) with e = expm1(-2 |a|)."""
    e = expm1(tl.abs(a) * -2)
    t = quotient(-e, e + 2)
    return tl.where(a < 0, -t, t)


@triton.jit
def power(a, b):
    """Compute the power a ** b, with the special cases of C's pow but infinite exponents."""
    a, b = tl.broadcast(a, b)
    size = tl.abs(a)
    ordinary = tl.exp2(b * tl.log2(size)) if a.dtype == tl.float64 else _power(size, b)
    limit = tl.where((size == 0) == (b > 0), 0.0, float("inf")).to(ordinary.dtype)
    is_end = (size == 0) | (size == float("inf"))
    result = tl.where(is_end, limit, ordinary)
    is_odd = (tl.floor(b) == b) & (tl.floor(b * 0.5) * 2 != b)
    # 1 / a is below 0 for -0 too
    result = tl.where(is_odd & ((a < 0) | ((size == 0) & (quotient(1 + size, a) < 0))), -result, result)
    result = tl.where((a < 0) & (tl.floor(b) != b) & ~is_end, float("nan"), result)
    result = tl.where((a != a) | (b != b), a + b, result)
    return tl.where((b == 0) | (a == 1), 1.0, result).to(ordinary.dtype)


@triton.jit
def _power(size, b):
    """Compute, for positive float32, exp2(b * log2(size)) with the whole part of log2 apart.

    In one float the product's rounding would be multiplied by up to 128 in the result.
    """
    tiny = size < 1.17549435e-38
    bits = tl.where(tiny, size * 16777216.0, size).to(tl.int32, bitcast=True)
    whole = (bits - 0x3F3504F3) >> 23  # of the power of two nearest to the size
    rest = tl.log2((bits - (whole << 23)).to(tl.float32, bitcast=True))  # from -1/2 to 1/2
    e = tl.where(tiny, whole - 24, whole).to(tl.float32)
    high = (b.to(tl.int32, bitcast=True) & -4096).to(tl.float32, bitcast=True)  # 12 bits: its product with e is exact
    low = (b - high) * e + b * rest
    n = tl.floor(high * e + low + 0.5)
    fraction = (high * e - n) + low
    fraction = tl.where(tl.abs(n) > 252, 0.0, fraction)
    n = tl.minimum(tl.maximum(n, -252.0), 254.0).to(tl.int32)
    half = n >> 1
    first = ((half + 127) << 23).to(tl.float32, bitcast=True)
    second = ((n - half + 127) << 23).to(tl.float32, bitcast=True)
    return tl.exp2(fraction) * first * second


@triton.jit
def divided(n, by, times, shift, IS_WIDE: tl.constexpr):
    """Compute n // by for 0 <= n < 2^31, by a multiplication and a shift (see `divisor`); plainly for wider n."""
    return n // by if IS_WIDE else _divided(n, times, shift)


@triton.jit
def _divided(n, times, shift):
    u = n.to(tl.uint32)
    return ((tl.umulhi(u, times.to(tl.uint32)) + u) >> shift.to(tl.uint32)).to(tl.int32)


@triton.jit
def _mixed(state):
    state = (state ^ (state >> 16)) * tl.full((), 0x7FEB352D, tl.uint32)
    state = (state ^ (state >> 15)) * tl.full((), 0x846CA68B, tl.uint32)
    return state ^ (state >> 16)


@triton.jit
def uniform(seed, step, place):
    """Return the random number of a place; the same as poolab.pooling.core.noise.uniform, which says more."""
    low, high = seed.to(tl.uint32), (seed >> 32).to(tl.uint32) + step
    state = _mixed(_mixed(place.to(tl.uint32) ^ low) ^ high)
    return (state >> 8).to(tl.int32).to(tl.float32) * 0.000000059604644775390625  # 2^-24
