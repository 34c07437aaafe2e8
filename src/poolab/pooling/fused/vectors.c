// Vectors of LANES numbers, on which the statements of a window work, written with the vector extensions of GCC and Clang:
// left to themselves, compilers found vectors for only a third of the methods' loops, and a loop without them takes 10
// to 25 times as long.
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
// The lower or higher one; b where one is NaN, or where they are equal. Named, since compilers make a comparison and a
// choice of it.
#if defined __AVX512F__ && defined __clang__
#define NAMED(name, a, b) ((vreal)__builtin_ia32_##name##512(a, b, 4))
#elif defined __AVX512F__
#define NAMED(name, a, b) ((vreal)__builtin_ia32_##name##512_mask(a, b, (vreal){0}, -1, 4))
#elif defined __AVX__
#define NAMED(name, a, b) ((vreal)__builtin_ia32_##name##256(a, b))
#endif
#if defined NAMED && ELEMENT == 1
#define LOWER(a, b) NAMED(minpd, a, b)
#define HIGHER(a, b) NAMED(maxpd, a, b)
#elif defined NAMED
#define LOWER(a, b) NAMED(minps, a, b)
#define HIGHER(a, b) NAMED(maxps, a, b)
#else
#define LOWER(a, b) SELECT((a) < (b), a, b)
#define HIGHER(a, b) SELECT((a) > (b), a, b)
#endif
#define CHOOSE(flag, a, b) (((a) & (flag)) | ((b) & ~(flag)))
#define NUMBER(flag) ((vreal)((vmask)all(1) & (flag)))
#define FABS(v) ((vreal)((vmask)(v) & ~(vmask)all(-(real)0.0)))

