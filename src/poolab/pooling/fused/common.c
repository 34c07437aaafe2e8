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
typedef integer vmask __attribute__((vector_size(BYTES)));  // what a comparison gives: 0 or -1 for each lane
#define LANES ((long)(BYTES / sizeof(real)))

#define INLINE static inline __attribute__((always_inline))

INLINE vreal all(real value) { return value - (vreal){0}; }  // keeps -0
#define SELECT(flag, a, b) ((vreal)(((vmask)(a) & (flag)) | ((vmask)(b) & ~(flag))))
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
FUNCTION(EXP, exp)
FUNCTION(LOG, log)
FUNCTION(EXPM1, expm1)
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
// Sums of several half-precision gradients are kept in float until they are complete.
#define WIDE_SUM (OVERLAP && ELEMENT >= 2)

// The first `count` lanes from memory; the others are 0.
INLINE vreal load(const element *from, long count) {
  vreal v = {0};
  if (count == LANES) {
#if ELEMENT < 2
    memcpy(&v, from, sizeof v);
#else
    for (int i = 0; i < LANES; i++) v[i] = WIDEN(from[i]);
#endif
  } else for (long i = 0; i < count; i++) v[i] = WIDEN(from[i]);
  return v;
}
INLINE vreal load_real(const real *from, long count) {
  vreal v = {0};
  if (count == LANES) memcpy(&v, from, sizeof v);
  else for (long i = 0; i < count; i++) v[i] = from[i];
  return v;
}
INLINE void store(element *to, vreal v, long count) {
  if (count == LANES) {
#if ELEMENT < 2
    memcpy(to, &v, sizeof v);
#else
    for (int i = 0; i < LANES; i++) to[i] = NARROW(v[i]);
#endif
  } else for (long i = 0; i < count; i++) to[i] = NARROW(v[i]);
}
INLINE void store_real(real *to, vreal v, long count) {
  if (count == LANES) memcpy(to, &v, sizeof v);
  else for (long i = 0; i < count; i++) to[i] = v[i];
}

typedef struct {
  long n, c, d, h, w, od, oh, ow, pd, ph, pw, seed, threads;
  const element *x, *slope;
  element *y, *gx;
  const real *value[VALUES + 1];
  double *taught[VALUES + 1];  // the gradients of the values, (n, c) each: sums of many windows
} task;

// The random number of a place; the same as poolab.pooling.noise.uniform, which says more.
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
