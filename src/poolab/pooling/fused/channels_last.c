// Maps that are channels_last: the lanes are channels of one window.

#define TAP(tap) load(tap_data[tap] + lane, count)
#define REAL(tap) ((vmask){0} - real_tap[tap])
#define COUNT all((real)real_taps)
#define VALUE(index) load_real(t->value[index] + first + lane, count)
#define NOISE_WINDOW(draw) uniform(t->seed, draw, (map + lane) * windows + window, windows)
#define NOISE_CHANNEL(draw) uniform(t->seed, draw, map + lane, 1)
#define NOISE_SAMPLE(draw) uniform(t->seed, draw, n, 0)
#define NOISE_POSITION(draw, tap) uniform(t->seed, draw, (map + lane) * plane + tap_place[tap], plane)
#define GRAD_OUTPUT load(grad_output + lane, count)
#define PUT(v) store(y + lane, v, count)
#define ADD_PARAM_GRAD(index, v) add_up(param_grads[index] + lane, v, count)
INLINE void add_up(double *to, vreal v, long count) {
  if (count == LANES) for (int i = 0; i < LANES; i++) to[i] += v[i];
  else for (long i = 0; i < count; i++) to[i] += v[i];
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
#define GIVE(tap, v) STORE_SUM(to[tap] + lane, LOAD_SUM(to[tap] + lane, count) + (v), count)
#else
#define GIVE(tap, v) STORE_SUM(to[tap] + lane, v, count)
#endif

// Full vectors of a window that has all its taps, then whatever is left.
#define LANES_OF(WINDOW, WHOLE, MASKED) \
  long lane = 0; \
  if (real_taps == TAPS) for (; lane + LANES <= lanes; lane += LANES) { const long count = LANES; WHOLE } \
  for (; lane < lanes; lane += LANES) { const long count = least(LANES, lanes - lane); MASKED }

// The places of a window's taps on the map (for a missing tap that of the first, which may be read) and which are
// real; the number of real ones.
INLINE int place(const task *t, long window, long *tap_place, int *real_tap) {
  const long ow = window % t->ow, oh = window / t->ow % t->oh, od = window / t->ow / t->oh;
  int real_taps = 0, tap = 0;
  for (int i = 0; i < KD; i++) for (int j = 0; j < KH; j++) for (int k = 0; k < KW; k++, tap++) {
    const long d = od * SD - t->pd + i * ED, h = oh * SH - t->ph + j * EH, w = ow * SW - t->pw + k * EW;
    real_tap[tap] = d >= 0 && d < t->d && h >= 0 && h < t->h && w >= 0 && w < t->w;
    tap_place[tap] = real_tap[tap] ? (d * t->h + h) * t->w + w : 0;
    real_taps += real_tap[tap];
  }
  return real_taps;
}

void forward(const task *t) {
  const long windows = t->od * t->oh * t->ow, plane = t->d * t->h * t->w, lanes = t->c, first = 0;
  (void)plane; (void)first;
  #pragma omp parallel for collapse(2) schedule(static) num_threads(t->threads)
  for (long n = 0; n < t->n; n++) for (long row = 0; row < t->od * t->oh; row++) {
    const element *base = t->x + n * plane * t->c;
    const long map = n * t->c;
    (void)map;
    for (long window = row * t->ow; window < (row + 1) * t->ow; window++) {
      const element *tap_data[TAPS]; long tap_place[TAPS]; int real_tap[TAPS];
      const int real_taps = place(t, window, tap_place, real_tap);
      for (int tap = 0; tap < TAPS; tap++) tap_data[tap] = base + tap_place[tap] * t->c;
      element *restrict y = t->y + (n * windows + window) * t->c;
      LANES_OF(window, FORWARD_WHOLE, FORWARD_MASKED)
    }
  }
}

static void backward_block(const task *t, long n, long first, long lanes, sum *restrict waste) {
  const long windows = t->od * t->oh * t->ow, plane = t->d * t->h * t->w, map = n * t->c + first;
  const element *base = t->x + n * plane * t->c + first;
#if WIDE_SUM
  sum *gradient = (sum *)calloc(plane * t->c, sizeof(sum));
#else
  sum *gradient = t->gx + n * plane * t->c + first;
  for (long i = 0; i < plane; i++) memset(gradient + i * t->c, 0, lanes * sizeof(sum));
#endif
  double *param_grads[VALUES + 1];
  for (int i = 0; i < VALUES; i++) param_grads[i] = t->param_grads[i] + map;
  (void)param_grads; (void)map;
  for (long window = 0; window < windows; window++) {
    const element *tap_data[TAPS]; sum *to[TAPS]; long tap_place[TAPS]; int real_tap[TAPS];
    const int real_taps = place(t, window, tap_place, real_tap);
    for (int tap = 0; tap < TAPS; tap++) {
      tap_data[tap] = base + tap_place[tap] * t->c;
      to[tap] = real_tap[tap] ? gradient + tap_place[tap] * t->c : waste;
    }
    const element *grad_output = t->grad_output + (n * windows + window) * t->c + first;
    LANES_OF(window, BACKWARD_WHOLE, BACKWARD_MASKED)
  }
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
    #pragma omp for collapse(2) schedule(static)
    for (long n = 0; n < t->n; n++) for (long b = 0; b < blocks; b++)
      backward_block(t, n, b * block, least(block, t->c - b * block), waste);
    free(waste);
  }
}
