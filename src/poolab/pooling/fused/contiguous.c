// Contiguous maps: the lanes are windows of one row, whose elements are first split into the phases of the stride.

#define TAP(tap) load_real(tap_data[tap] + lane)
#define REAL(tap) (((vmask){0} - real_row[(tap) / KW]) & load_mask(r.real_columns + ((tap) % KW) * r.lanes + lane))
#define COUNT load_real(r.count + lane)
#define VALUE(index) all(value[index])
#define NOISE_WINDOW(draw) uniform(t->seed, draw, map * windows + row * t->ow + lane, 1)
#define NOISE_CHANNEL(draw) uniform(t->seed, draw, map, 0)
#define NOISE_SAMPLE(draw) uniform(t->seed, draw, map / t->c, 0)
#define NOISE_POSITION(draw, tap) \
  uniform(t->seed, draw, map * plane + place[(tap) / KW] + lane * SW - t->pw + ((tap) % KW) * EW, SW)
#define GRAD_OUTPUT load(grad_output)
#define PUT(v) store(y, v)
#define GIVE(tap, v) store_real(r.gradients + (tap) * r.lanes + lane, v)
#define ADD_PARAM_GRAD(index, v) param_grad##index += SELECT(valid, v, all(0))

// Vectors of a row of windows; `count` windows of each are there, the rest is waste. A vector that is not full is read
// from `short_row` or written to it: loads and stores of any length take several times as long.
#define LANES_OF(WHOLE, MASKED) \
  for (long lane = 0; lane < t->ow; lane += LANES) { \
    const long count = least(LANES, t->ow - lane); \
    BEFORE \
    if (lane >= begin && lane + count <= end) { WHOLE } else { MASKED } \
    AFTER \
  }
#define COPY(to, from, count) for (long copied = 0; copied < (count); copied++) (to)[copied] = (from)[copied];

// Room for one row of windows: the phases of its rows of elements, the gradients of the taps, who is real.
typedef struct {
  long lanes, length;  // windows of a row in whole vectors; elements of one phase
  real *phases, *gradients, *count, *sums;
  integer *real_columns;
} workspace;

INLINE vmask load_mask(const integer *from) { vmask v; memcpy(&v, from, sizeof v); return v; }

static workspace make_workspace(const task *t) {
  workspace r;
  r.lanes = (t->ow + LANES - 1) / LANES * LANES;
  r.length = r.lanes + (EW * (KW - 1)) / SW + 1;
  r.phases = (real *)calloc(ROWS * SW * r.length, sizeof(real));
  r.gradients = (real *)calloc(TAPS * r.lanes, sizeof(real));
  r.sums = (real *)calloc(SW * r.length, sizeof(real));
  r.count = (real *)calloc(r.lanes, sizeof(real));
  r.real_columns = (integer *)calloc(KW * r.lanes, sizeof(integer));
  for (int k = 0; k < KW; k++) for (long ow = 0; ow < t->ow; ow++) {
    const long w = ow * SW - t->pw + k * EW;
    r.real_columns[k * r.lanes + ow] = -(w >= 0 && w < t->w);
  }
  return r;
}

static void free_workspace(workspace r) { free(r.phases); free(r.gradients); free(r.sums); free(r.count); free(r.real_columns); }

// Splits a row of the map into the SW phases of the stride, as numbers; what lies outside keeps its zeros.
static inline void split(const task *t, const element *restrict row, real *restrict phases, long length) {
  // Element i of phase f is column i * SW + f - pw; the middle, where every phase is on the map, has no test.
  const long from = (t->pw + SW - 1) / SW, to = least((t->w + t->pw) / SW, length);
  for (long i = 0; i < least(from, length); i++) for (long f = 0; f < SW; f++) {
    const long w = i * SW + f - t->pw;
    if (w >= 0 && w < t->w) phases[f * length + i] = WIDEN(row[w]);
  }
  const element *restrict middle = row - t->pw;
  for (long i = from; i < to; i++) for (long f = 0; f < SW; f++) phases[f * length + i] = WIDEN(middle[i * SW + f]);
  for (long i = to > from ? to : from; i < length; i++) for (long f = 0; f < SW; f++) {
    const long w = i * SW + f - t->pw;
    if (w >= 0 && w < t->w) phases[f * length + i] = WIDEN(row[w]);
  }
}

// Reads the rows of elements of one row of windows; true where all of them are on the map.
static inline int gather(const task *t, const element *plane, long row, workspace *r, long *place, int *real_row,
                         const real **tap_data) {
  const long od = row / t->oh, oh = row % t->oh;
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
    tap_data[tap] = r->phases + ((tap / KW) * SW + shift % SW) * r->length + shift / SW;
  }
  for (long ow = 0; ow < r->lanes; ow++) {
    integer columns = 0;
    for (int k = 0; k < KW; k++) columns -= r->real_columns[k * r->lanes + ow];
    r->count[ow] = (real)(real_rows * columns);
  }
  return real_rows == ROWS;
}

// The windows of a row that lie wholly on the map along the width.
static inline void whole_columns(const task *t, long *begin, long *end) {
  const long last = t->w + t->pw - EW * (KW - 1) - 1;
  *begin = least((t->pw + SW - 1) / SW, t->ow);
  *end = last < 0 ? 0 : least(last / SW + 1, t->ow);
}

#define BEFORE element *y = count == LANES ? output + lane : short_row;
#define AFTER if (count < LANES) COPY(output + lane, short_row, count)
void forward(const task *t) {
  const long windows = t->od * t->oh * t->ow, plane = t->d * t->h * t->w;
  #pragma omp parallel num_threads(t->threads)
  {
    workspace r = make_workspace(t);
    #pragma omp for schedule(static)
    for (long map = 0; map < t->n * t->c; map++) {
      real value[VALUES + 1];
      for (int i = 0; i < VALUES; i++) value[i] = t->value[i][map % t->c];
      (void)value;
      for (long row = 0; row < t->od * t->oh; row++) {
        long place[ROWS], begin, end; int real_row[ROWS]; const real *tap_data[TAPS];
        const int all_rows = gather(t, t->x + map * plane, row, &r, place, real_row, tap_data);
        whole_columns(t, &begin, &end);
        if (!all_rows) end = 0;
        element *output = t->y + map * windows + row * t->ow, short_row[LANES];
        LANES_OF(FORWARD_WHOLE, FORWARD_MASKED)
      }
    }
    free_workspace(r);
  }
}

#if WIDE_SUM
typedef real sum;
#define READ_SUM(v) (v)
#define WRITTEN_SUM(v) (v)
#else
typedef element sum;
#define READ_SUM(v) WIDEN(v)
#define WRITTEN_SUM(v) NARROW(v)
#endif
// The columns w of a row, element i of phase f each; the middle, where every phase is on the map, has no test.
#define EACH_ELEMENT(statement) { \
  const long from = (t->pw + SW - 1) / SW, to = least((t->w + t->pw) / SW, length); \
  for (long i = 0; i < length; i++) { \
    if (i == from && to > from) { \
      for (; i < to; i++) for (long f = 0; f < SW; f++) { const long w = i * SW + f - t->pw; statement; } \
      if (i == length) break; \
    } \
    for (long f = 0; f < SW; f++) { \
      const long w = i * SW + f - t->pw; \
      if (w >= 0 && w < t->w) { statement; } \
    } \
  } \
}

// Adds the gradients of one row of taps to a row of the map, phase by phase: those of the first window first, as torch's
// pooling kernels do, so that maxima and means have the same gradients to the last bit.
static inline void add_gradients(const task *t, const real *gradients, sum *restrict row, const workspace *r) {
  real *restrict sums = r->sums;
  const long length = r->length;
#if OVERLAP
  EACH_ELEMENT(sums[f * length + i] = READ_SUM(row[w]))
#else
  memset(sums, 0, SW * length * sizeof(real));
#endif
  for (int k = KW - 1; k >= 0; k--) {
    real *restrict to = sums + ((k * EW) % SW) * length + (k * EW) / SW;
    const real *restrict from = gradients + k * r->lanes;
    for (long ow = 0; ow < t->ow; ow++) to[ow] = ROUNDED(to[ow] + from[ow]);
  }
  EACH_ELEMENT(row[w] = WRITTEN_SUM(sums[f * length + i]))
}

#undef BEFORE
#undef AFTER
#define BEFORE \
  const element *grad_output = count == LANES ? gradients + lane : short_row; \
  if (count < LANES) COPY(short_row, gradients + lane, count)
#define AFTER
void backward(const task *t) {
  const long windows = t->od * t->oh * t->ow, plane = t->d * t->h * t->w;
  #pragma omp parallel num_threads(t->threads)
  {
    workspace r = make_workspace(t);
#if WIDE_SUM
    sum *gradient = (sum *)malloc(plane * sizeof(sum));
#endif
    #pragma omp for schedule(static)
    for (long map = 0; map < t->n * t->c; map++) {
#if !WIDE_SUM
      sum *gradient = t->gx + map * plane;
#endif
      memset(gradient, 0, plane * sizeof(sum));
      real value[VALUES + 1]; double param_grad_sums[VALUES + 1];
      for (int i = 0; i < VALUES; i++) { value[i] = t->value[i][map % t->c]; param_grad_sums[i] = 0; }
      (void)value; (void)param_grad_sums;
      for (long row = 0; row < t->od * t->oh; row++) {
        long place[ROWS], begin, end; int real_row[ROWS]; const real *tap_data[TAPS];
        const int all_rows = gather(t, t->x + map * plane, row, &r, place, real_row, tap_data);
        whole_columns(t, &begin, &end);
        if (!all_rows) end = 0;
        const element *gradients = t->grad_output + map * windows + row * t->ow;
        element short_row[LANES] = {0};
        PARAM_GRADS
        LANES_OF(VALID BACKWARD_WHOLE, VALID BACKWARD_MASKED)
        SUM_PARAM_GRADS
        for (int i = 0; i < ROWS; i++)
          if (real_row[i]) add_gradients(t, r.gradients + i * KW * r.lanes, gradient + place[i], &r);
      }
      for (int i = 0; i < VALUES; i++) t->param_grads[i][map] = param_grad_sums[i];
#if WIDE_SUM
      element *gx = t->gx + map * plane;
      for (long i = 0; i < plane; i++) gx[i] = NARROW(gradient[i]);
#endif
    }
#if WIDE_SUM
    free(gradient);
#endif
    free_workspace(r);
  }
}
