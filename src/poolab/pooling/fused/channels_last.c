// Maps that are channels_last: the lanes are channels of one window. `at` is where they begin in each array.

#define TAP(tap) load(tap_data[tap] + at)
#define REAL(tap) ((vmask){0} - real_tap[tap])
#define COUNT all((real)real_taps)
#define VALUE(index) load_real(value[index] + at)
#define NOISE_WINDOW(draw) uniform(t->seed, draw, (map + lane) * windows + window, windows)
#define NOISE_CHANNEL(draw) uniform(t->seed, draw, map + lane, 1)
#define NOISE_SAMPLE(draw) uniform(t->seed, draw, n, 0)
#define NOISE_POSITION(draw, tap) uniform(t->seed, draw, (map + lane) * plane + tap_place[tap], plane)
#define GRAD_OUTPUT load(grad_output + at)
#define PUT(v) store(y + at, v)
#define ADD_PARAM_GRAD(index, v) add_up(param_grads[index] + at, v)
#if ELEMENT != 1
typedef float half_real __attribute__((vector_size(BYTES / 2)));
typedef double unaligned_double __attribute__((vector_size(BYTES), aligned(8)));
#endif
// As vectors: number by number, this took up to 0.4 of the time of ordinal, which has 4 or 9 values.
INLINE void add_up(double *to, vreal v) {
#if ELEMENT == 1
  *(unaligned *)to += v;
#else
  union { vreal whole; half_real halves[2]; } u = {v};
  for (int i = 0; i < 2; i++) ((unaligned_double *)to)[i] += __builtin_convertvector(u.halves[i], unaligned_double);
#endif
}

#if WIDE_SUM
typedef real sum;
#define LOAD_SUM load_real
#define STORE_SUM store_real
#else
typedef element sum;
#define LOAD_SUM load
#define STORE_SUM store
#endif
#if OVERLAP
#define GIVE(tap, v) STORE_SUM(to[tap] + at, LOAD_SUM(to[tap] + at) + (v))
#else
#define GIVE(tap, v) STORE_SUM(to[tap] + at, v)
#endif

// Full vectors of a window that has all its taps, full vectors of another one, and the channels that are left, which
// are copied to make a full vector (SHORT): statements with loads of any length take several times as long.
#define LANES_OF(WHOLE, MASKED, SHORT) \
  long lane = 0; \
  if (real_taps == TAPS) for (; lane + LANES <= lanes; lane += LANES) { const long at = lane; WHOLE } \
  else for (; lane + LANES <= lanes; lane += LANES) { const long at = lane; MASKED } \
  if (lane < lanes) { SHORT }
#define COPY(to, from, count) for (long copied = 0; copied < (count); copied++) (to)[copied] = (from)[copied];

// The rows of elements of one row of windows: where each begins on the map, and whether it is there.
typedef struct {
  long begin[ROWS];
  int real[ROWS], all_real;
} rows;
INLINE rows rows_of(const task *t, long row) {
  const long oh = row % t->oh, od = row / t->oh;
  rows r = {.all_real = 1};
  for (int i = 0; i < ROWS; i++) {
    const long d = od * SD - t->pd + (i / KH) * ED, h = oh * SH - t->ph + (i % KH) * EH;
    r.real[i] = d >= 0 && d < t->d && h >= 0 && h < t->h;
    r.begin[i] = (d * t->h + h) * t->w;
    r.all_real &= r.real[i];
  }
  return r;
}

// The places of a window's taps on the map (for a missing tap that of the first, which may be read) and which are
// real; the number of real ones.
INLINE int place(const task *t, const rows *r, long ow, long *tap_place, int *real_tap) {
  const long first = ow * SW - t->pw;
  if (r->all_real && first >= 0 && first + EW * (KW - 1) < t->w) {
    for (int tap = 0; tap < TAPS; tap++) {
      real_tap[tap] = 1;
      tap_place[tap] = r->begin[tap / KW] + first + (tap % KW) * EW;
    }
    return TAPS;
  }
  int real_taps = 0;
  for (int tap = 0; tap < TAPS; tap++) {
    const long w = first + (tap % KW) * EW;
    real_tap[tap] = r->real[tap / KW] && w >= 0 && w < t->w;
    tap_place[tap] = real_tap[tap] ? r->begin[tap / KW] + w : 0;
    real_taps += real_tap[tap];
  }
  return real_taps;
}

// Computes one window of fewer channels than a vector has lanes.
static void forward_short(const task *t, long n, long lane, long window, const long *tap_place, const int *real_tap,
                          int real_taps) {
  const long windows = t->od * t->oh * t->ow, plane = t->d * t->h * t->w, map = n * t->c, count = t->c - lane, at = 0;
  element elements[TAPS][LANES] = {{0}}, output[LANES], *y = output;
  const element *tap_data[TAPS];
  real value_data[VALUES + 1][LANES] = {{0}};
  const real *value[VALUES + 1];
  for (int tap = 0; tap < TAPS; tap++) {
    COPY(elements[tap], t->x + (n * plane + tap_place[tap]) * t->c + lane, count)
    tap_data[tap] = elements[tap];
  }
  for (int i = 0; i < VALUES; i++) { COPY(value_data[i], t->value[i] + lane, count) value[i] = value_data[i]; }
  (void)windows; (void)map; (void)value; (void)real_tap; (void)real_taps;
  FORWARD_MASKED
  COPY(t->y + (n * windows + window) * t->c + lane, output, count)
}

void forward(const task *t) {
  const long windows = t->od * t->oh * t->ow, plane = t->d * t->h * t->w, lanes = t->c, first = 0;
  (void)plane; (void)first;
  #pragma omp parallel for collapse(2) schedule(static) num_threads(t->threads)
  for (long n = 0; n < t->n; n++) for (long row = 0; row < t->od * t->oh; row++) {
    const element *base = t->x + n * plane * t->c;
    const long map = n * t->c;
    const real *const *value = t->value;
    (void)map; (void)value;
    const rows r = rows_of(t, row);
    for (long ow = 0; ow < t->ow; ow++) {
      const long window = row * t->ow + ow;
      const element *tap_data[TAPS]; long tap_place[TAPS]; int real_tap[TAPS];
      const int real_taps = place(t, &r, ow, tap_place, real_tap);
      for (int tap = 0; tap < TAPS; tap++) tap_data[tap] = base + tap_place[tap] * t->c;
      element *restrict y = t->y + (n * windows + window) * t->c;
      LANES_OF(FORWARD_WHOLE, FORWARD_MASKED, {
        forward_short(t, n, lane, window, tap_place, real_tap, real_taps);
      })
    }
  }
}

// Computes the gradients of one window of fewer channels than a vector has lanes.
static void backward_short(const task *t, long n, long first, long lane, long count, long window, const long *tap_place,
                           const int *real_tap, int real_taps, sum *const *gradient) {
  const long windows = t->od * t->oh * t->ow, plane = t->d * t->h * t->w, map = n * t->c + first, at = 0;
  const long from = first + lane;
  element elements[TAPS][LANES] = {{0}}, grad_output[LANES] = {0};
  sum sums[TAPS][LANES] = {{0}}, *to[TAPS];
  const element *tap_data[TAPS];
  real value_data[VALUES + 1][LANES] = {{0}};
  const real *value[VALUES + 1];
  double param_grad_data[VALUES + 1][LANES] = {{0}}, *param_grads[VALUES + 1];
  for (int tap = 0; tap < TAPS; tap++) {
    COPY(elements[tap], t->x + (n * plane + tap_place[tap]) * t->c + from, count)
    COPY(sums[tap], gradient[tap] + lane, OVERLAP ? count : 0)
    tap_data[tap] = elements[tap];
    to[tap] = sums[tap];
  }
  COPY(grad_output, t->grad_output + (n * windows + window) * t->c + from, count)
  for (int i = 0; i < VALUES; i++) {
    COPY(value_data[i], t->value[i] + from, count)
    value[i] = value_data[i];
    param_grads[i] = param_grad_data[i];
  }
  (void)windows; (void)map; (void)value; (void)param_grads; (void)real_tap; (void)real_taps;
  BACKWARD_MASKED
  for (int tap = 0; tap < TAPS; tap++) COPY(gradient[tap] + lane, sums[tap], count)
  for (int i = 0; i < VALUES; i++)
    for (long j = 0; j < count; j++) t->param_grads[i][map + lane + j] += param_grad_data[i][j];
}

// Sets elements of a row of the gradient to 0.
INLINE void clear(const task *t, sum *row, long from, long to, long lanes) {
  if (lanes == t->c) memset(row + from * t->c, 0, (to - from) * lanes * sizeof(sum));
  else for (long w = from; w < to; w++) memset(row + w * t->c, 0, lanes * sizeof(sum));
}

// `is_begun` says of each row of the gradient whether it has numbers: it is cleared just before its first one, while it
// is in a near cache anyhow.
static void backward_block(const task *t, long n, long first, long lanes, sum *restrict waste, char *is_begun) {
  const long windows = t->od * t->oh * t->ow, plane = t->d * t->h * t->w, map = n * t->c + first;
  const element *base = t->x + n * plane * t->c + first;
#if WIDE_SUM
  sum *gradient = (sum *)malloc(plane * t->c * sizeof(sum));
#else
  sum *gradient = t->gx + n * plane * t->c + first;
#endif
  memset(is_begun, 0, t->d * t->h);
  // Windows side by side write each of their elements; only what lies behind the last one has to be cleared.
  const long from = GAPLESS ? least(t->ow * SW - t->pw, t->w) : 0;
  double *param_grads[VALUES + 1];
  const real *value[VALUES + 1];
  for (int i = 0; i < VALUES; i++) { param_grads[i] = t->param_grads[i] + map; value[i] = t->value[i] + first; }
  (void)param_grads; (void)value; (void)map;
  for (long row = 0; row < t->od * t->oh; row++) {
    const rows r = rows_of(t, row);
    for (int i = 0; i < ROWS; i++) if (r.real[i] && !is_begun[r.begin[i] / t->w]) {
      is_begun[r.begin[i] / t->w] = 1;
      clear(t, gradient + r.begin[i] * t->c, from, t->w, lanes);
    }
    for (long ow = 0; ow < t->ow; ow++) {
      const long window = row * t->ow + ow;
      const element *tap_data[TAPS]; sum *to[TAPS]; long tap_place[TAPS]; int real_tap[TAPS];
      const int real_taps = place(t, &r, ow, tap_place, real_tap);
      for (int tap = 0; tap < TAPS; tap++) {
        tap_data[tap] = base + tap_place[tap] * t->c;
        to[tap] = real_tap[tap] ? gradient + tap_place[tap] * t->c : waste;
      }
      const element *grad_output = t->grad_output + (n * windows + window) * t->c + first;
      LANES_OF(BACKWARD_WHOLE, BACKWARD_MASKED, {
        backward_short(t, n, first, lane, lanes - lane, window, tap_place, real_tap, real_taps, to);
      })
    }
  }
  for (long i = 0; i < t->d * t->h; i++) if (!is_begun[i]) clear(t, gradient + i * t->w * t->c, 0, t->w, lanes);
#if WIDE_SUM
  element *gx = t->gx + n * plane * t->c + first;
  for (long i = 0; i < plane; i++)
    for (long lane = 0; lane < lanes; lane++) gx[i * t->c + lane] = NARROW(gradient[i * t->c + lane]);
  free(gradient);
#endif
}

void backward(const task *t) {
  // Whole maps where there are many, else blocks of channels, so that a small batch uses all threads too.
  const long block = t->n >= 4 * t->threads ? t->c : least(t->c, 64), blocks = (t->c + block - 1) / block;
  #pragma omp parallel num_threads(t->threads)
  {
    sum *waste = (sum *)calloc(t->c, sizeof(sum));
    char *is_begun = (char *)malloc(t->d * t->h);
    #pragma omp for collapse(2) schedule(static)
    for (long n = 0; n < t->n; n++) for (long b = 0; b < blocks; b++)
      backward_block(t, n, b * block, least(block, t->c - b * block), waste, is_begun);
    free(waste);
    free(is_begun);
  }
}
