// What both layouts share; see c_source.py. Sizes of the kernel, the stride and the dilation (K, S, E with D, H, W) and
// the statements of one window come as macros in front of all.

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
