//===- Statistics.cpp - what repetitions say together ---------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-bench/Statistics.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

using namespace samba::bench;

double samba::bench::now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Statistics::Statistics(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  size_t count = values.size();
  mean = std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(count);
  median = (values[(count - 1) / 2] + values[count / 2]) / 2;
  minimum = values.front();
  maximum = values.back();
  double squares = 0;
  for (double value : values)
    squares += (value - mean) * (value - mean);
  deviation = count > 1 ? std::sqrt(squares / static_cast<double>(count - 1)) : 0;
}

nlohmann::ordered_json samba::bench::toJson(const Statistics &statistics) {
  return {{"mean", statistics.mean},
          {"median", statistics.median},
          {"deviation", statistics.deviation},
          {"minimum", statistics.minimum},
          {"maximum", statistics.maximum}};
}
