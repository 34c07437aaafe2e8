// What both layouts share; see c_source.py. Sizes of the kernel, the stride and the dilation (K, S, E with D, H, W) and
// the statements of one window come as macros in front of this text. The statements work on vectors of LANES numbers,
// written with the vector extensions of GCC and Clang: left to themselves, compilers found vectors for only a third of
// the methods' loops, and a loop without them takes 10 to 25 times as long.
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if ELEMENT == 1
typedef double real;
typedef int64_t integer;
#define M(name) name
#else
typedef float real;
typedef int32_t integer;
#define M(name) name##f
#endif

#if defined __AVX512F__
#define BYTES 64
#elif defined __AVX__
#define BYTES 32
#else
#define BYTES 16
#endif
typedef real vreal __attribute__((vector_size(BYTES)));
// In memory, at any place. As `memcpy`, stores would be taken for changes of all else that lies in memory too.
typedef real unaligned __attribute__((vector_size(BYTES), aligned(sizeof(real))));
typedef integer vmask __attribute__((vector_size(BYTES)));  // what a comparison gives: 0 or -1 for each lane
#define LANES ((long)(BYTES / sizeof(real)))

#define INLINE static inline __attribute__((always_inline))

INLINE vreal all(real value) { return value - (vreal){0}; }  // keeps -0
// A choice is one instruction: AVX-512 compilers make one of the three operations, for AVX it has to be named.
#if defined __AVX__ && !defined __AVX512F__ && ELEMENT == 1
#define SELECT(flag, a, b) ((vreal)__builtin_ia32_blendvpd256(b, a, (vreal)(flag)))
#elif defined __AVX__ && !defined __AVX512F__
#define SELECT(flag, a, b) ((vreal)__builtin_ia32_blendvps256(b, a, (vreal)(flag)))
#else
#define SELECT(flag, a, b) ((vreal)(((vmask)(a) & (flag)) | ((vmask)(b) & ~(flag))))
#endif
// The lower or higher one; b where one is NaN.
#if defined __AVX__ && !defined __AVX512F__ && ELEMENT != 1
#define LOWER(a, b) ((vreal)__builtin_ia32_minps256(a, b))
#define HIGHER(a, b) ((vreal)__builtin_ia32_maxps256(a, b))
#else
#define LOWER(a, b) SELECT((a) < (b), a, b)
#define HIGHER(a, b) SELECT((a) > (b), a, b)
#endif
#define CHOOSE(flag, a, b) (((a) & (flag)) | ((b) & ~(flag)))
#define NUMBER(flag) ((vreal)((vmask)all(1) & (flag)))
#define FABS(v) ((vreal)((vmask)(v) & ~(vmask)all(-(real)0.0)))

// Functions of vectors: glibc's libmvec where it is linked, else lane by lane.
#if VECTOR_MATH && defined __AVX512F__ && ELEMENT == 1
#define VECTOR(arguments, name) _ZGVeN8##arguments##_##name
#elif VECTOR_MATH && defined __AVX512F__
#define VECTOR(arguments, name) _ZGVeN16##arguments##_##name##f
#elif VECTOR_MATH && defined __AVX2__ && ELEMENT == 1
#define VECTOR(arguments, name) _ZGVdN4##arguments##_##name
#elif VECTOR_MATH && defined __AVX2__
#define VECTOR(arguments, name) _ZGVdN8##arguments##_##name##f
#endif
#ifdef VECTOR
#define FUNCTION(NAME, name) vreal VECTOR(v, name)(vreal); INLINE vreal NAME(vreal a) { return VECTOR(v, name)(a); }
vreal VECTOR(vv, pow)(vreal, vreal);
INLINE vreal POW(vreal a, vreal b) { return VECTOR(vv, pow)(a, b); }
#else
#define FUNCTION(NAME, name) \
  INLINE vreal NAME(vreal a) { for (int i = 0; i < LANES; i++) a[i] = M(name)(a[i]); return a; }
INLINE vreal POW(vreal a, vreal b) { for (int i = 0; i < LANES; i++) a[i] = M(pow)(a[i], b[i]); return a; }
#endif
#if ELEMENT == 1
FUNCTION(EXP, exp)
FUNCTION(EXPM1, expm1)
FUNCTION(LOG, log)
#else
// Written out for float: a call of libmvec empties all vector registers, and a window has an exponential for each tap.
// exp(x) = 2^n exp(r) with r in [-ln 2 / 2, ln 2 / 2], and Cephes' polynomial for (exp(r) - 1 - r) / r^2 (S. Moshier,
// expf.c). Largest error over all floats: see tests/pooling/fused/test_functions.py.
typedef struct { vreal n, less_one; vmask half, rest; } power_of_e;
INLINE power_of_e reduced(vreal x) {
  x = LOWER(all(90), x);  // infinite from here on
  x = HIGHER(all(-105), x);  // 0 from here on
  const vreal shifted = x * (real)1.44269504088896341 + (real)12582912;  // 1.5 * 2^23: rounds to a whole number
  power_of_e e;
  e.n = shifted - (real)12582912;
  const vreal r = (x - e.n * (real)0.693359375) + e.n * (real)2.12194440e-4;
  vreal p = r * (real)1.9875691500e-4 + (real)1.3981999507e-3;
  p = p * r + (real)8.3334519073e-3;
  p = p * r + (real)4.1665795894e-2;
  p = p * r + (real)1.6666665459e-1;
  p = p * r + (real)5.0000001201e-1;
  e.less_one = p * (r * r) + r;
  // 2^n in two factors, since n reaches from -151 to 130.
  const vmask whole = (vmask)shifted - (vmask)all(12582912);
  e.half = whole >> 1;
  e.rest = whole - e.half;
  return e;
}
#define POWER_OF_TWO(n) ((vreal)(((n) + 127) << 23))
INLINE vreal EXP(vreal x) {
  const power_of_e e = reduced(x);
  return (e.less_one + (real)1) * POWER_OF_TWO(e.half) * POWER_OF_TWO(e.rest);
}
INLINE vreal EXPM1(vreal x) {
  const power_of_e e = reduced(x);
  const vreal scale = POWER_OF_TWO(e.half) * POWER_OF_TWO(e.rest);
  const vreal large = (e.less_one + (real)1) * POWER_OF_TWO(e.half) * POWER_OF_TWO(e.rest);
  return SELECT(e.n > all(30), large, e.less_one * scale + (scale - (real)1));
}
// log(x) = e ln 2 + log(m) with m in [sqrt(1/2), sqrt(2)), and Cephes' polynomial for log(1 + f) (logf.c).
INLINE vreal LOG(vreal x) {
  const vmask small = x < all((real)1.17549435e-38);
  const vreal normal = SELECT(small, x * (real)8388608, x);
  const vmask low = ((vmask)normal & 0x7fffff) < 0x3504f3;  // below sqrt(2): m keeps its exponent
  const vmask exponent = ((vmask)normal >> 23) - 126 + low;
  const vreal m = (vreal)(((vmask)normal & 0x7fffff) | (((vmask){0} + 126 - low) << 23));
  const vreal e = __builtin_convertvector(exponent, vreal) - SELECT(small, all(23), all(0));
  const vreal f = m - (real)1, z = f * f;
  vreal p = f * (real)7.0376836292e-2 - (real)1.1514610310e-1;
  p = p * f + (real)1.1676998740e-1;
  p = p * f - (real)1.2420140846e-1;
  p = p * f + (real)1.4249322787e-1;
  p = p * f - (real)1.6668057665e-1;
  p = p * f + (real)2.0000714765e-1;
  p = p * f - (real)2.4999993993e-1;
  p = p * f + (real)3.3333331174e-1;
  const vreal y = p * f * z - e * (real)2.12194440e-4 - z * (real)0.5;
  const vreal usual = f + y + e * (real)0.693359375;
  const vreal ended = SELECT(x == all(INFINITY), x, SELECT(x == all(0), all(-INFINITY), all(NAN)));
  return SELECT((x > all(0)) & (x < all(INFINITY)), usual, ended);
}
#endif
FUNCTION(LOG1P, log1p)
FUNCTION(TANH, tanh)
INLINE vreal SQRT(vreal a) { for (int i = 0; i < LANES; i++) a[i] = M(sqrt)(a[i]); return a; }
INLINE vreal FLOOR(vreal a) { for (int i = 0; i < LANES; i++) a[i] = M(floor)(a[i]); return a; }

#if ELEMENT == 0 || ELEMENT == 1
typedef real element;
#define WIDEN(v) (v)
#define NARROW(v) (v)
#elif ELEMENT == 2
typedef uint16_t element;
INLINE float WIDEN(uint16_t v) { union { uint32_t i; float f; } u; u.i = (uint32_t)v << 16; return u.f; }
INLINE uint16_t NARROW(float v) {
  union { float f; uint32_t i; } u; u.f = v;
  const uint32_t rounded = (u.i + 0x7fff + ((u.i >> 16) & 1)) >> 16;
  return v != v ? 0x7fc0 : (uint16_t)rounded;
}
#else
typedef _Float16 element;
#define WIDEN(v) ((float)(v))
#define NARROW(v) ((_Float16)(v))
#endif

#define ROWS (KD * KH)
#define TAPS (ROWS * KW)
// Windows that do not overlap write each gradient once; the others add it up.
#define OVERLAP (ED * (KD - 1) >= SD || EH * (KH - 1) >= SH || EW * (KW - 1) >= SW)
// Windows lie side by side: each element between the first and the last one is in one of them.
#define GAPLESS (!OVERLAP && ED * KD == SD && EH * KH == SH && EW * KW == SW && ED * EH * EW == 1)
// Sums of several half-precision gradients are kept in float until they are complete; but where a window passes its
// gradient on to one element, each sum is rounded as torch's max pooling does.
#define WIDE_SUM (OVERLAP && ELEMENT >= 2 && !PASSES_ON)
#if OVERLAP && ELEMENT >= 2 && PASSES_ON
#define ROUNDED(v) WIDEN(NARROW(v))
#else
#define ROUNDED(v) (v)
#endif

#if ELEMENT == 2
typedef uint32_t words __attribute__((vector_size(BYTES)));
typedef uint16_t halves __attribute__((vector_size(BYTES / 2), aligned(2)));
#endif
INLINE vreal load(const element *from) {
#if ELEMENT < 2
  return *(const unaligned *)from;
#elif ELEMENT == 2
  return (vreal)(__builtin_convertvector(*(const halves *)from, words) << 16);
#else
  vreal v;
  for (int i = 0; i < LANES; i++) v[i] = WIDEN(from[i]);
  return v;
#endif
}
INLINE vreal load_real(const real *from) { return *(const unaligned *)from; }
INLINE void store(element *to, vreal v) {
#if ELEMENT < 2
  *(unaligned *)to = v;
#elif ELEMENT == 2
  const words bits = (words)v, rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16, is_nan = (words)(v != v);
  *(halves *)to = __builtin_convertvector((rounded & ~is_nan) | (is_nan & 0x7fc0), halves);
#else
  for (int i = 0; i < LANES; i++) to[i] = NARROW(v[i]);
#endif
}
INLINE void store_real(real *to, vreal v) { *(unaligned *)to = v; }

typedef struct {
  long n, c, d, h, w, od, oh, ow, pd, ph, pw, seed, threads;
  const element *x, *grad_output;
  element *y, *gx;
  const real *value[VALUES + 1];
  double *param_grads[VALUES + 1];  // the gradients of the values, (n, c) each: sums of many windows
} task;

// The random number of a place; the same as poolab.pooling.core.noise.uniform, which says more.
INLINE uint32_t mixed(uint32_t v) {
  v = (v ^ (v >> 16)) * 0x7feb352du;
  v = (v ^ (v >> 15)) * 0x846ca68bu;
  return v ^ (v >> 16);
}
// Those of the places first, first + step and so on, one for each lane.
INLINE vreal uniform(long seed, uint32_t draw, long first, long step) {
  const uint32_t low = (uint32_t)seed, high = (uint32_t)((uint64_t)seed >> 32) + draw * 0x85ebca6bu;
  const uint32_t from = (uint32_t)first, by = (uint32_t)step;
  real numbers[LANES];
  for (uint32_t i = 0; i < LANES; i++)
    numbers[i] = (real)(int32_t)(mixed(mixed((from + i * by) ^ low) ^ high) >> 8) * (real)0x1p-24;
  vreal v;
  memcpy(&v, numbers, sizeof v);
  return v;
}

INLINE long least(long a, long b) { return a < b ? a : b; }
