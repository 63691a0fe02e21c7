//===- Statistics.h - what repetitions say together -------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_BENCH_STATISTICS_H
#define TOOLS_SAMBA_BENCH_STATISTICS_H

#include <nlohmann/json_fwd.hpp>
#include <vector>

namespace samba::bench {

/// Seconds of a clock that only goes forwards.
double now();

struct Statistics {
  double mean, median, deviation, minimum, maximum; // deviation: of the sample; 0 for a single value

  /// `values` is not empty.
  explicit Statistics(std::vector<double> values);
};

nlohmann::ordered_json toJson(const Statistics &statistics);

} // namespace samba::bench

#endif // TOOLS_SAMBA_BENCH_STATISTICS_H
