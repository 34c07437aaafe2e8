// Contiguous maps: the lanes are the windows of one row, its cells split into the phases of the stride.

#define CELL(tap) cell[tap][lane]
#define REAL(tap) (real_row[(tap) / KW] & real_column[(tap) % KW][lane])
#define COUNT count[lane]
#define NOISE_WINDOW(draw) uniform(seed, draw, (uint32_t)(map * windows + row * t->ow + lane))
#define NOISE_CHANNEL(draw) uniform(seed, draw, (uint32_t)map)
#define NOISE_SAMPLE(draw) uniform(seed, draw, (uint32_t)(map / t->c))
#define NOISE_CELL(draw, tap) \
  uniform(seed, draw, (uint32_t)(map * size + place[(tap) / KW] + lane * SW - t->pw + ((tap) % KW) * EW))
#define VALUE(index) value[index]
#define SLOPE LOAD(slope[lane])
#define PUT(v) y[lane] = STORE(v)
#define GIVE(tap, v) give[tap][lane] = (v)
#define TEACH(index, v) lesson##index += (v)

// Room for one row of output windows: the phases of the input rows, the gradients of the taps, who is real.
typedef struct {
  long length;  // of one phase
  real *phases, *gradients, *count, *sums;
  int *real_columns;
} room;

static room furnish(const task *t) {
  room r;
  r.length = t->ow + (EW * (KW - 1)) / SW + 1;
  r.phases = (real *)calloc(ROWS * SW * r.length, sizeof(real));
  r.gradients = (real *)malloc(TAPS * t->ow * sizeof(real));
  r.sums = (real *)malloc(SW * r.length * sizeof(real));
  r.count = (real *)malloc(t->ow * sizeof(real));
  r.real_columns = (int *)malloc(KW * t->ow * sizeof(int));
  for (int k = 0; k < KW; k++) for (long ow = 0; ow < t->ow; ow++) {
    const long w = ow * SW - t->pw + k * EW;
    r.real_columns[k * t->ow + ow] = w >= 0 && w < t->w;
  }
  return r;
}

static void leave(room r) { free(r.phases); free(r.gradients); free(r.sums); free(r.count); free(r.real_columns); }

// Splits a row of the map into the SW phases of the stride, as numbers; what lies outside keeps its zeros.
static inline void split(const task *t, const element *restrict row, real *restrict phases, long length) {
  // Cell i of phase f is column i * SW + f - pw; the middle, where every phase is on the map, has no test.
  const long from = (t->pw + SW - 1) / SW, to = least((t->w + t->pw) / SW, length);
  for (long i = 0; i < least(from, length); i++) for (long f = 0; f < SW; f++) {
    const long w = i * SW + f - t->pw;
    if (w >= 0 && w < t->w) phases[f * length + i] = LOAD(row[w]);
  }
  const element *restrict middle = row - t->pw;
  for (long i = from; i < to; i++) for (long f = 0; f < SW; f++) phases[f * length + i] = LOAD(middle[i * SW + f]);
  for (long i = to > from ? to : from; i < length; i++) for (long f = 0; f < SW; f++) {
    const long w = i * SW + f - t->pw;
    if (w >= 0 && w < t->w) phases[f * length + i] = LOAD(row[w]);
  }
}

// Reads the rows of one row of windows; true where all cells of the windows [*begin, *end) are real.
static inline int gather(const task *t, const element *plane, long od, long oh, room *r, long *place, int *real_row,
                         const real **cell, const int **real_column) {
  int real_rows = 0;
  for (int i = 0; i < ROWS; i++) {
    const long d = od * SD - t->pd + (i / KH) * ED, h = oh * SH - t->ph + (i % KH) * EH;
    real_row[i] = d >= 0 && d < t->d && h >= 0 && h < t->h;
    place[i] = (d * t->h + h) * t->w;
    real_rows += real_row[i];
    if (real_row[i]) split(t, plane + place[i], r->phases + i * SW * r->length, r->length);
  }
  for (int tap = 0; tap < TAPS; tap++) {
    const long shift = (tap % KW) * EW;
    cell[tap] = r->phases + ((tap / KW) * SW + shift % SW) * r->length + shift / SW;
  }
  for (int k = 0; k < KW; k++) real_column[k] = r->real_columns + k * t->ow;
  for (long ow = 0; ow < t->ow; ow++) {
    int columns = 0;
    for (int k = 0; k < KW; k++) columns += real_column[k][ow];
    r->count[ow] = (real)(real_rows * columns);
  }
  return real_rows == ROWS;
}

// The windows of a row that lie wholly on the map along the width.
static inline void whole_columns(const task *t, long *begin, long *end) {
  const long last = t->w + t->pw - EW * (KW - 1) - 1;
  *begin = least((t->pw + SW - 1) / SW, t->ow);
  *end = last < 0 ? 0 : least(last / SW + 1, t->ow);
  if (*end < *begin) *end = *begin;
}

#define STRETCH(SIMD, BODY, FROM, TO) \
  SIMD \
  for (long lane = (FROM); lane < (TO); lane++) { BODY }

void forward(const task *t) {
  const long windows = t->od * t->oh * t->ow, size = t->d * t->h * t->w;
  #pragma omp parallel num_threads(t->threads)
  {
    room r = furnish(t);
    #pragma omp for schedule(static)
    for (long map = 0; map < t->n * t->c; map++) {
      const element *plane = t->x + map * size;
      real value[VALUES + 1];
      for (int i = 0; i < VALUES; i++) value[i] = t->value[i][map % t->c];
      (void)value;
      for (long row = 0; row < t->od * t->oh; row++) {
        long place[ROWS], begin, end; int real_row[ROWS]; const real *cell[TAPS]; const int *real_column[KW];
        const int all = gather(t, plane, row / t->oh, row % t->oh, &r, place, real_row, cell, real_column);
        whole_columns(t, &begin, &end);
        if (!all) begin = end = 0;
        const real *count = r.count;
        const uint64_t seed = (uint64_t)t->seed;
        element *restrict y = t->y + map * windows + row * t->ow;
        (void)count; (void)seed;
        STRETCH(_Pragma("omp simd"), FORWARD_MASKED, 0, begin)
        STRETCH(_Pragma("omp simd"), FORWARD_WHOLE, begin, end)
        STRETCH(_Pragma("omp simd"), FORWARD_MASKED, end, t->ow)
      }
    }
    leave(r);
  }
}

#if WIDE_SUM
typedef real sum;
#define KEEP(v) (v)
#else
typedef element sum;
#define KEEP(v) STORE(v)
#endif

// Adds the gradients of one row of taps to a row of the map, phase by phase.
static inline void hand_back(const task *t, const real *gradients, sum *restrict row, real *restrict sums, long length) {
  memset(sums, 0, SW * length * sizeof(real));
  for (int k = 0; k < KW; k++) {
    real *restrict to = sums + ((k * EW) % SW) * length + (k * EW) / SW;
    const real *restrict from = gradients + k * t->ow;
    for (long ow = 0; ow < t->ow; ow++) to[ow] += from[ow];
  }
  const long from = (t->pw + SW - 1) / SW, to = least((t->w + t->pw) / SW, length);
  sum *restrict middle = row - t->pw;
#if OVERLAP
#define HAND(place, v) place = KEEP(LOADED(place) + (v))
#else
#define HAND(place, v) place = KEEP(v)
#endif
#if WIDE_SUM
#define LOADED(v) (v)
#else
#define LOADED(v) LOAD(v)
#endif
  for (long i = 0; i < least(from, length); i++) for (long f = 0; f < SW; f++) {
    const long w = i * SW + f - t->pw;
    if (w >= 0 && w < t->w) HAND(row[w], sums[f * length + i]);
  }
  for (long i = from; i < to; i++) for (long f = 0; f < SW; f++) HAND(middle[i * SW + f], sums[f * length + i]);
  for (long i = to > from ? to : from; i < length; i++) for (long f = 0; f < SW; f++) {
    const long w = i * SW + f - t->pw;
    if (w >= 0 && w < t->w) HAND(row[w], sums[f * length + i]);
  }
}

void backward(const task *t) {
  const long windows = t->od * t->oh * t->ow, size = t->d * t->h * t->w;
  #pragma omp parallel num_threads(t->threads)
  {
    room r = furnish(t);
#if WIDE_SUM
    sum *gradient = (sum *)malloc(size * sizeof(sum));
#endif
    #pragma omp for schedule(static)
    for (long map = 0; map < t->n * t->c; map++) {
      const element *plane = t->x + map * size;
#if !WIDE_SUM
      sum *gradient = t->gx + map * size;
#endif
      memset(gradient, 0, size * sizeof(sum));
      real value[VALUES + 1]; double learnt[VALUES + 1];
      for (int i = 0; i < VALUES; i++) { value[i] = t->value[i][map % t->c]; learnt[i] = 0; }
      (void)value; (void)learnt;
      for (long row = 0; row < t->od * t->oh; row++) {
        long place[ROWS], begin, end; int real_row[ROWS]; const real *cell[TAPS]; const int *real_column[KW];
        const int all = gather(t, plane, row / t->oh, row % t->oh, &r, place, real_row, cell, real_column);
        whole_columns(t, &begin, &end);
        if (!all) begin = end = 0;
        const real *count = r.count;
        const uint64_t seed = (uint64_t)t->seed;
        const element *slope = t->slope + map * windows + row * t->ow;
        real *give[TAPS];
        for (int tap = 0; tap < TAPS; tap++) give[tap] = r.gradients + tap * t->ow;
        (void)count; (void)seed;
        LESSONS
        STRETCH(SIMD_BACKWARD, BACKWARD_MASKED, 0, begin)
        STRETCH(SIMD_BACKWARD, BACKWARD_WHOLE, begin, end)
        STRETCH(SIMD_BACKWARD, BACKWARD_MASKED, end, t->ow)
        LEARN
        for (int i = 0; i < ROWS; i++)
          if (real_row[i]) hand_back(t, r.gradients + i * KW * t->ow, gradient + place[i], r.sums, r.length);
      }
      for (int i = 0; i < VALUES; i++) t->taught[i][map] = (real)learnt[i];
#if WIDE_SUM
      element *gx = t->gx + map * size;
      for (long i = 0; i < size; i++) gx[i] = STORE(gradient[i]);
#endif
    }
#if WIDE_SUM
    free(gradient);
#endif
    leave(r);
  }
}
