//===- Limits.h - how fast this machine can be ------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_BENCH_LIMITS_H
#define TOOLS_SAMBA_BENCH_LIMITS_H

#include <cstddef>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <vector>

namespace samba::bench {

/// What a number of threads can do at most, in operations or bytes per second.
struct Limits {
  double f32 = 0;
  std::optional<double> bf16, int8; // nothing if the CPU has no such instruction
  double read = 0;                  // of memory
};

/// The median of each limit over probes; `probes` is not empty.
Limits median(const std::vector<Limits> &probes);
/// The highest.
Limits best(const std::vector<Limits> &probes);
nlohmann::ordered_json toJson(const Limits &limits);

/// Measures limits. Holds a buffer that no cache can, from the first measurement on.
class LimitProbe {
public:
  /// The best of short rounds in which all threads work at once, so that a round that another program disturbs does not
  /// count. Takes about four times `seconds`. Throws std::bad_alloc.
  Limits measure(int threads, double seconds);

private:
  void makeBuffer();

  struct Unmap {
    size_t bytes;
    void operator()(void *pointer) const;
  };
  std::unique_ptr<void, Unmap> buffer;
};

/// Name, cores, caches, memory and instructions of this machine, and the load on it.
nlohmann::ordered_json describeMachine();
/// Runnable programs, averaged over the last minute; negative if the system does not say.
double loadAverage();
int usableCores();

} // namespace samba::bench

#endif // TOOLS_SAMBA_BENCH_LIMITS_H
