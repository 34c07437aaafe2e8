// Runs both functions once, on one window of a few maps: a new kernel is tried in a process of its own (building.py).
int probe(void) {
  const long d = ED * (KD - 1) + 1, h = EH * (KH - 1) + 1, w = EW * (KW - 1) + 1, maps = LANES + 1;
  task t = {.n = 1, .c = maps, .d = d, .h = h, .w = w, .od = 1, .oh = 1, .ow = 1, .threads = 1};
  element *x = (element *)calloc(2 * (d * h * w + 1) * maps, sizeof(element));
  real *value = (real *)calloc(maps, sizeof(real));
  double *param_grads = (double *)calloc(maps, sizeof(double));
  t.x = x, t.gx = x + d * h * w * maps, t.grad_output = t.gx + d * h * w * maps, t.y = t.gx + (d * h * w + 1) * maps;
  for (int i = 0; i < VALUES; i++) t.value[i] = value, t.param_grads[i] = param_grads;
  forward(&t);
  backward(&t);
  free(x); free(value); free(param_grads);
  return 1;
}
