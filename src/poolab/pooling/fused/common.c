// What both layouts share; see c_source.py. Sizes of the kernel, the stride and the dilation (K, S, E with D, H, W) and
// the statements of one window come as macros in front of this text.
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if ELEMENT == 1
typedef double real;
#define FABS fabs
#define EXP exp
#define LOG log
#define POW pow
#define SQRT sqrt
#define EXPM1 expm1
#define LOG1P log1p
#define TANH tanh
#else
typedef float real;
#define FABS fabsf
#define EXP expf
#define LOG logf
#define POW powf
#define SQRT sqrtf
#define EXPM1 expm1f
#define LOG1P log1pf
#define TANH tanhf
#endif

#if ELEMENT == 0 || ELEMENT == 1
typedef real element;
#define LOAD(v) (v)
#define STORE(v) (v)
#elif ELEMENT == 2
typedef uint16_t element;
static inline float from_bfloat16(uint16_t v) { union { uint32_t i; float f; } u; u.i = (uint32_t)v << 16; return u.f; }
static inline uint16_t to_bfloat16(float v) {
  union { float f; uint32_t i; } u; u.f = v;
  const uint32_t rounded = (u.i + 0x7fff + ((u.i >> 16) & 1)) >> 16;
  return v != v ? 0x7fc0 : (uint16_t)rounded;
}
#define LOAD(v) from_bfloat16(v)
#define STORE(v) to_bfloat16(v)
#else
typedef _Float16 element;
#define LOAD(v) ((float)(v))
#define STORE(v) ((_Float16)(v))
#endif

#define ROWS (KD * KH)
#define TAPS (ROWS * KW)
// Windows that do not overlap write each gradient once; the others add it up.
#define OVERLAP (ED * (KD - 1) >= SD || EH * (KH - 1) >= SH || EW * (KW - 1) >= SW)
// Sums of several half-precision gradients are kept in float until they are complete.
#define WIDE_SUM (OVERLAP && ELEMENT >= 2)

typedef struct {
  long n, c, d, h, w, od, oh, ow, pd, ph, pw, seed, threads;
  const element *x, *slope;
  element *y, *gx;
  const real *value[VALUES + 1];
  real *taught[VALUES + 1];  // the gradients of the values, (n, c) each
} task;

// The random number of a place; the same as poolab.pooling.noise.uniform, which says more.
static inline uint32_t mixed(uint32_t v) {
  v = (v ^ (v >> 16)) * 0x7feb352du;
  v = (v ^ (v >> 15)) * 0x846ca68bu;
  return v ^ (v >> 16);
}
static inline real uniform(uint64_t seed, uint32_t draw, uint32_t place) {
  const uint32_t low = (uint32_t)seed, high = (uint32_t)(seed >> 32) + draw * 0x85ebca6bu;
  return (real)(int32_t)(mixed(mixed(place ^ low) ^ high) >> 8) * (real)0x1p-24;
}

static inline long least(long a, long b) { return a < b ? a : b; }
