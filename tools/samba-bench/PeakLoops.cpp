//===- PeakLoops.cpp - loops that do nothing but compute ------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// There must be enough chains to hide the latency of the instruction, and they must fit the registers. After each step
// all sums pass an empty asm statement: so the compiler can neither merge chains nor compute any of them itself.
//
//===----------------------------------------------------------------------===//

#include "tools/samba-bench/PeakLoops.h"

#include "runtime/Cpu.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define KEEP(vector) __asm__ volatile("" : "+v"(vector))
#elif defined(__aarch64__)
#define KEEP(vector) __asm__ volatile("" : "+w"(vector))
#else
#define KEEP(vector) __asm__ volatile("" : "+m"(vector))
#endif

using namespace samba::bench;
using samba::runtime::cpuSupports;

namespace {

typedef float F32x4 __attribute__((vector_size(16)));
typedef uint64_t U64x8 __attribute__((vector_size(64)));

constexpr int chains = 16;    // of 32 vector registers
constexpr int fewChains = 12; // of 16

void multiplyAddGeneric(uint64_t iterations) {
  F32x4 sums[fewChains], half = {0.5f, 0.5f, 0.5f, 0.5f};
  for (F32x4 &sum : sums)
    sum = half;
  for (uint64_t i = 0; i < iterations; ++i)
    for (F32x4 &sum : sums) {
      sum = sum * half + half;
      KEEP(sum);
    }
}

uint64_t orGeneric(const U64x8 *data, size_t count) {
  U64x8 a = {}, b = {}, c = {}, d = {};
  for (size_t i = 0; i < count; i += 4) {
    a |= data[i];
    b |= data[i + 1];
    c |= data[i + 2];
    d |= data[i + 3];
  }
  a |= b | c | d;
  return a[0] | a[1] | a[2] | a[3] | a[4] | a[5] | a[6] | a[7];
}

#if defined(__x86_64__)

__attribute__((target("avx2,fma"))) void multiplyAddAvx2(uint64_t iterations) {
  __m256 sums[fewChains], half = _mm256_set1_ps(0.5f);
  for (__m256 &sum : sums)
    sum = half;
  for (uint64_t i = 0; i < iterations; ++i)
    for (__m256 &sum : sums) {
      sum = _mm256_fmadd_ps(sum, half, half);
      KEEP(sum);
    }
}

__attribute__((target("avx512f"))) void multiplyAddAvx512(uint64_t iterations) {
  __m512 sums[chains], half = _mm512_set1_ps(0.5f);
  for (__m512 &sum : sums)
    sum = half;
  for (uint64_t i = 0; i < iterations; ++i)
    for (__m512 &sum : sums) {
      sum = _mm512_fmadd_ps(sum, half, half);
      KEEP(sum);
    }
}

__attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16"))) void dotBf16(uint64_t iterations) {
  __m512 sums[chains];
  __m512bh ones = (__m512bh)_mm512_set1_epi16(0x3f80);
  for (__m512 &sum : sums)
    sum = _mm512_setzero_ps();
  for (uint64_t i = 0; i < iterations; ++i)
    for (__m512 &sum : sums) {
      sum = _mm512_dpbf16_ps(sum, ones, ones);
      KEEP(sum);
    }
}

__attribute__((target("avx512f,avx512vnni"))) void dotInt8(uint64_t iterations) {
  __m512i sums[chains], ones = _mm512_set1_epi32(0x01010101);
  for (__m512i &sum : sums)
    sum = _mm512_setzero_si512();
  for (uint64_t i = 0; i < iterations; ++i)
    for (__m512i &sum : sums) {
      sum = _mm512_dpbusd_epi32(sum, ones, ones);
      KEEP(sum);
    }
}

__attribute__((target("avx512f"))) uint64_t orAvx512(const void *data, size_t count) {
  const __m512i *vectors = static_cast<const __m512i *>(data);
  __m512i sums[4] = {};
  for (size_t i = 0; i < count; i += 4)
    for (int j = 0; j < 4; ++j)
      sums[j] = _mm512_or_si512(sums[j], _mm512_load_si512(vectors + i + j));
  return static_cast<uint64_t>(
      _mm512_reduce_or_epi64(_mm512_or_si512(_mm512_or_si512(sums[0], sums[1]), _mm512_or_si512(sums[2], sums[3]))));
}

#endif

} // namespace

PeakLoop samba::bench::f32Peak() {
#if defined(__x86_64__)
  if (cpuSupports("avx512f"))
    return {"vfmadd, 512 bits", 2.0 * 16 * chains, multiplyAddAvx512};
  if (cpuSupports("avx2") && cpuSupports("fma"))
    return {"vfmadd, 256 bits", 2.0 * 8 * fewChains, multiplyAddAvx2};
#endif
  return {"multiply-add, 128 bits", 2.0 * 4 * fewChains, multiplyAddGeneric};
}

std::optional<PeakLoop> samba::bench::bf16Peak() {
#if defined(__x86_64__)
  if (cpuSupports("avx512bf16") && cpuSupports("avx512bw") && cpuSupports("avx512vl"))
    return PeakLoop{"vdpbf16ps, 512 bits", 4.0 * 16 * chains, dotBf16};
#endif
  return std::nullopt;
}

std::optional<PeakLoop> samba::bench::int8Peak() {
#if defined(__x86_64__)
  if (cpuSupports("avx512vnni"))
    return PeakLoop{"vpdpbusd, 512 bits", 8.0 * 16 * chains, dotInt8};
#endif
  return std::nullopt;
}

void samba::bench::readMemory(const void *data, size_t bytes) {
  size_t count = bytes / sizeof(U64x8);
  volatile uint64_t result;
#if defined(__x86_64__)
  if (cpuSupports("avx512f")) {
    result = orAvx512(data, count);
    return;
  }
#endif
  result = orGeneric(static_cast<const U64x8 *>(data), count);
  (void)result;
}
