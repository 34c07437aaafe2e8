// Maps that are channels_last: the lanes are the channels of one window.

#define CELL(tap) LOAD(cell[tap][lane])
#define REAL(tap) real_tap[tap]
#define COUNT count
#define MAP (map + lane)
#define NOISE_WINDOW(draw) uniform(seed, draw, (uint32_t)(MAP * windows + window))
#define NOISE_CHANNEL(draw) uniform(seed, draw, (uint32_t)MAP)
#define NOISE_SAMPLE(draw) uniform(seed, draw, (uint32_t)n)
#define NOISE_CELL(draw, tap) uniform(seed, draw, (uint32_t)(MAP * plane + cell_place[tap]))
#define VALUE(index) t->value[index][first + lane]
#define SLOPE LOAD(slope[lane])
#define PUT(v) y[lane] = STORE(v)
#if OVERLAP
#define GIVE(tap, v) to[tap][lane] += (v)
#elif ELEMENT >= 2
#define GIVE(tap, v) to[tap][lane] = STORE(v)
#else
#define GIVE(tap, v) to[tap][lane] = (v)
#endif
#define TEACH(index, v) taught[index][lane] += (v)

#if WIDE_SUM
typedef real sum;
#else
typedef element sum;
#endif

// The places of a window's cells on the map and their offsets in memory (a missing cell has the first one's, which may be
// read), and which are real; the number of real ones.
static inline int place(const task *t, long od, long oh, long ow, long *offset, int *real_tap, long *cell_place) {
  int real_taps = 0, tap = 0;
  for (int i = 0; i < KD; i++) for (int j = 0; j < KH; j++) for (int k = 0; k < KW; k++, tap++) {
    const long d = od * SD - t->pd + i * ED, h = oh * SH - t->ph + j * EH, w = ow * SW - t->pw + k * EW;
    real_tap[tap] = d >= 0 && d < t->d && h >= 0 && h < t->h && w >= 0 && w < t->w;
    cell_place[tap] = real_tap[tap] ? (d * t->h + h) * t->w + w : 0;
    offset[tap] = cell_place[tap] * t->c;
    real_taps += real_tap[tap];
  }
  return real_taps;
}

void forward(const task *t) {
  const long windows = t->od * t->oh * t->ow, plane = t->d * t->h * t->w, lanes = t->c, first = 0;
  #pragma omp parallel for collapse(2) schedule(static) num_threads(t->threads)
  for (long n = 0; n < t->n; n++) for (long row = 0; row < t->od * t->oh; row++) for (long ow = 0; ow < t->ow; ow++) {
    const element *base = t->x + n * plane * t->c, *cell[TAPS];
    const long window = row * t->ow + ow;
    long offset[TAPS], cell_place[TAPS]; int real_tap[TAPS];
    const int real_taps = place(t, row / t->oh, row % t->oh, ow, offset, real_tap, cell_place);
    const real count = (real)real_taps;
    for (int tap = 0; tap < TAPS; tap++) cell[tap] = base + offset[tap];
    element *restrict y = t->y + (n * windows + window) * t->c;
    const uint64_t seed = (uint64_t)t->seed;
    const long map = n * t->c;
    (void)count; (void)map; (void)seed; (void)first;
    if (real_taps == TAPS) {
      #pragma omp simd
      for (long lane = 0; lane < lanes; lane++) { FORWARD_WHOLE }
    } else {
      #pragma omp simd
      for (long lane = 0; lane < lanes; lane++) { FORWARD_MASKED }
    }
  }
}

static void backward_block(const task *t, long n, long first, long lanes, sum *restrict waste) {
  const long windows = t->od * t->oh * t->ow, plane = t->d * t->h * t->w;
  const element *base = t->x + n * plane * t->c + first;
#if WIDE_SUM
  sum *gradient = (sum *)calloc(plane * t->c, sizeof(sum));
#else
  sum *gradient = t->gx + n * plane * t->c + first;
  for (long i = 0; i < plane; i++) memset(gradient + i * t->c, 0, lanes * sizeof(sum));
#endif
  real *taught[VALUES + 1];
  for (int i = 0; i < VALUES; i++) taught[i] = t->taught[i] + n * t->c + first;
  (void)taught;
  for (long window = 0; window < windows; window++) {
    const element *cell[TAPS]; sum *to[TAPS]; long offset[TAPS], cell_place[TAPS]; int real_tap[TAPS];
    const long ow = window % t->ow, row = window / t->ow;
    const int real_taps = place(t, row / t->oh, row % t->oh, ow, offset, real_tap, cell_place);
    const real count = (real)real_taps;
    for (int tap = 0; tap < TAPS; tap++) {
      cell[tap] = base + offset[tap];
      to[tap] = real_tap[tap] ? gradient + offset[tap] : waste;
    }
    const element *slope = t->slope + (n * windows + window) * t->c + first;
    const uint64_t seed = (uint64_t)t->seed;
    const long map = n * t->c + first;
    (void)count; (void)map; (void)seed;
    if (real_taps == TAPS) {
      #pragma omp simd
      for (long lane = 0; lane < lanes; lane++) { BACKWARD_WHOLE }
    } else {
      #pragma omp simd
      for (long lane = 0; lane < lanes; lane++) { BACKWARD_MASKED }
    }
  }
#if WIDE_SUM
  element *gx = t->gx + n * plane * t->c + first;
  for (long i = 0; i < plane; i++) for (long lane = 0; lane < lanes; lane++) gx[i * t->c + lane] = STORE(gradient[i * t->c + lane]);
  free(gradient);
#endif
}

void backward(const task *t) {
  // Whole maps where there are many, else blocks of channels, so that a small batch uses all threads too.
  const long block = t->n >= 8 ? t->c : least(t->c, 32), blocks = (t->c + block - 1) / block;
  #pragma omp parallel num_threads(t->threads)
  {
    sum *waste = (sum *)malloc(t->c * sizeof(sum));
    #pragma omp for collapse(2) schedule(static)
    for (long n = 0; n < t->n; n++) for (long b = 0; b < blocks; b++)
      backward_block(t, n, b * block, least(block, t->c - b * block), waste);
    free(waste);
  }
}
