// What nvcc makes of the functions of math.h: range reductions, tables in local and constant memory, calls.
extern "C" __global__ void functions(const float *in, float *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n)
    return;
  float x = in[i];
  out[0 * n + i] = expf(x);
  out[1 * n + i] = sinf(x * 1000.0f);
  out[2 * n + i] = log1pf(fabsf(x));
  out[3 * n + i] = tanhf(x);
  out[4 * n + i] = powf(fabsf(x), 1.7f);
  out[5 * n + i] = x / 3.3f;
  out[6 * n + i] = rsqrtf(fabsf(x) + 0.1f);
  out[7 * n + i] = (float)exp((double)x);
  out[8 * n + i] = fmodf(x * 17.0f, 0.7f);
  out[9 * n + i] = erff(x);
}
