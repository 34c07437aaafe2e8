// Functions of vectors. Those of float are written out here, within four units of the last digit: a call of a library
// empties all vector registers, and a window has an exponential for each tap. Largest errors over all floats: see
// tests/pooling/fused/test_functions.py. All others are glibc's libmvec's where it is linked, else go lane by lane.
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
FUNCTION(TANH, tanh)
INLINE vreal SQRT(vreal a) { for (int i = 0; i < LANES; i++) a[i] = M(sqrt)(a[i]); return a; }
INLINE vreal FLOOR(vreal a) { for (int i = 0; i < LANES; i++) a[i] = M(floor)(a[i]); return a; }

// The normal numbers, and those whose reciprocal is one.
#if ELEMENT == 1
#define SMALLEST ((real)0x1p-1022)
#define LARGEST ((real)0x1p1022)
#else
#define SMALLEST ((real)0x1p-126)
#define LARGEST ((real)0x1p126)
#endif

#if ELEMENT == 1
FUNCTION(EXP, exp)
FUNCTION(EXPM1, expm1)
FUNCTION(LOG, log)
FUNCTION(LOG1P, log1p)
#define LOG_NORMAL LOG
#else
// exp(x) = 2^n exp(r) with r in [-ln 2 / 2, ln 2 / 2], and Cephes' polynomial for (exp(r) - 1 - r) / r^2 (S. Moshier,
// expf.c). less_one is exp(r) - 1; the lowest bits of `shifted` are n.
#define ROUNDER ((real)12582912)  // 1.5 * 2^23: a sum with it is rounded to a whole number
typedef struct { vreal shifted, less_one; } power_of_e;
INLINE power_of_e reduced(vreal x) {
  power_of_e e;
  e.shifted = x * (real)1.44269504088896341 + ROUNDER;
  const vreal n = e.shifted - ROUNDER;
  const vreal r = (x - n * (real)0.693359375) + n * (real)2.12194440e-4;
  vreal p = r * (real)1.9875691500e-4 + (real)1.3981999507e-3;
  p = p * r + (real)8.3334519073e-3;
  p = p * r + (real)4.1665795894e-2;
  p = p * r + (real)1.6666665459e-1;
  p = p * r + (real)5.0000001201e-1;
  e.less_one = p * (r * r) + r;
  return e;
}
#define POWER_OF_TWO(n) ((vreal)(((n) + 127) << 23))  // from -126 to 127
INLINE vreal EXP(vreal x) {
  const power_of_e e = reduced(HIGHER(all(-105), LOWER(all(90), x)));  // 0 and infinite outside; NaN stays
  const vreal power = e.less_one + (real)1;
#ifdef __AVX512F__
  return (vreal)__builtin_ia32_scalefps512_mask(power, e.shifted - ROUNDER, (vreal){0}, -1, 4);
#else
  // 2^n in two factors, since n reaches from -151 to 130.
  const vmask n = (vmask)e.shifted - (vmask)all(ROUNDER), half = n >> 1;
  return power * POWER_OF_TWO(half) * POWER_OF_TWO(n - half);
#endif
}
INLINE vreal EXPM1(vreal x) {
  const power_of_e e = reduced(HIGHER(all(-86), LOWER(all((real)88.8), x)));  // -1 and infinite outside
  const vreal half = POWER_OF_TWO((vmask)e.shifted - (vmask)all(ROUNDER) - 1);  // 2^128 is no number
  return (e.less_one * half + (half - (real)0.5)) * (real)2;
}
// log(x) = e ln 2 + log(1 + f), log(1 + f) = f - f^2 / 2 + f^3 p(f). ln 2 has two parts, the first with few digits.
// LOG_NORMAL is for positive normal numbers, infinity and NaN.
#ifdef __AVX512F__
// 1 + f in [3/4, 3/2); p fitted there by us, relative error 1e-9. Infinities, 0, negative numbers and NaN come out right
// by what the two instructions say of them.
#define LOG_NORMAL LOG
INLINE vreal LOG(vreal x) {
  const vreal m = (vreal)__builtin_ia32_getmantps512_mask(x, 2 << 2 | 3, (vreal){0}, -1, 4);  // NaN if negative
  const vreal e = (vreal)__builtin_ia32_getexpps512_mask(x, (vreal){0}, -1, 4) -
                  (vreal)__builtin_ia32_getexpps512_mask(m, (vreal){0}, -1, 4);
  const vreal f = m - (real)1, z = f * f;
  vreal p = f * (real)3.76727693e-2 - (real)9.11617428e-2;
  p = p * f + (real)1.17006585e-1;
  p = p * f - (real)1.27277806e-1;
  p = p * f + (real)1.42762393e-1;
  p = p * f - (real)1.66552961e-1;
  p = p * f + (real)1.99996054e-1;
  p = p * f - (real)2.50001639e-1;
  p = p * f + (real)3.33333403e-1;
  const vreal y = p * f * z - z * (real)0.5 + e * (real)1.42860677e-6;
  return f + y + e * (real)0.693145752;
}
#else
// 1 + f in [sqrt(1/2), sqrt(2)), and Cephes' p (logf.c).
INLINE vreal LOG_NORMAL(vreal x) {
  const vmask exponent = ((vmask)x - 0x3f3504f3) >> 23;  // 0x3f3504f3 are the bits of sqrt(1/2)
  const vreal f = (vreal)((vmask)x - (exponent << 23)) - (real)1, z = f * f;
  const vreal e = __builtin_convertvector(exponent, vreal);
  vreal p = f * (real)7.0376836292e-2 - (real)1.1514610310e-1;
  p = p * f + (real)1.1676998740e-1;
  p = p * f - (real)1.2420140846e-1;
  p = p * f + (real)1.4249322787e-1;
  p = p * f - (real)1.6668057665e-1;
  p = p * f + (real)2.0000714765e-1;
  p = p * f - (real)2.4999993993e-1;
  p = p * f + (real)3.3333331174e-1;
  const vreal y = p * f * z - e * (real)2.12194440e-4 - z * (real)0.5;
  return SELECT(x < all(INFINITY), f + y + e * (real)0.693359375, x);  // infinite, NaN
}
INLINE vreal LOG(vreal x) {
  const vmask small = x < all(SMALLEST);
  const vreal of_normal = LOG_NORMAL(SELECT(small, x * (real)8388608, x));
  const vreal log_x = of_normal - NUMBER(small) * (real)15.9423851528787422;  // 23 ln 2
  return SELECT(x > all(0), log_x, SELECT(x == all(0), all(-INFINITY), all(NAN)));
}
#endif
// log(1 + x) = log(u) + (x - (u - 1)) / u, with u the sum as it is rounded.
INLINE vreal LOG1P(vreal x) {
  const vreal u = x + (real)1, log_u = LOG(u);
  return SELECT((u > all(0)) & (u < all(INFINITY)), log_u + (x - (u - (real)1)) / u, log_u);
}
#endif

// Quotients by one divisor. With AVX-512 they are products with its reciprocal, which took gem from 0.77 to 0.75 and
// adapool from 0.90 to 0.84 of the time before; divisors whose reciprocal is infinite or has lost digits are scaled
// before, and the products after. With AVX the products took 1.1 to 1.2 times the time of adapool.
#ifdef __AVX512F__
INLINE vreal scale_of(vreal size) {
  return SELECT(size > all(LARGEST), all((real)0x1p-64), SELECT(size < all(SMALLEST), all((real)0x1p64), all(1)));
}
#define RECIPROCAL(name, divisor) \
  const vreal name##_scale = scale_of(FABS(divisor)), name##_reciprocal = all(1) / ((divisor) * name##_scale);
#define QUOTIENT(a, name) ((a) * name##_reciprocal * name##_scale)
#else
#define RECIPROCAL(name, divisor) const vreal name##_divisor = divisor;
#define QUOTIENT(a, name) ((a) / name##_divisor)
#endif
