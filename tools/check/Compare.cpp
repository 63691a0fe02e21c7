//===- Compare.cpp - how far two executions are apart ---------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/check/Compare.h"

#include <cmath>
#include <limits>

using namespace samba;
using reference::IntTensor;
using reference::StateBatch;
using reference::Tensor;

namespace {

/// Distance of neighbouring f32 numbers at `x`.
double ulpOf(double x) {
  int exponent;
  std::frexp(x, &exponent);
  return std::ldexp(1.0, std::max(exponent, -125) - 24);
}

template <class T> void compareTensors(const Tensor<T> &before, const Tensor<T> &after, Difference &difference) {
  if (before.shape != after.shape) {
    difference.shape = "shape " + reference::shapeText(before.shape) + " became " + reference::shapeText(after.shape);
    return;
  }
  for (size_t i = 0; i < before.data.size(); ++i) {
    double x = before.data[i], y = after.data[i];
    difference.largest = std::max(difference.largest, std::abs(x));
    if (x == y || (std::isnan(x) && std::isnan(y)))
      continue;
    double distance = std::abs(x - y);
    if (std::isnan(distance))
      distance = std::numeric_limits<double>::infinity();
    difference.absolute = std::max(difference.absolute, distance);
    difference.ulps = std::max(difference.ulps, distance / ulpOf(x));
  }
}

Difference compareValues(std::string name, const reference::Value<double> &before,
                         const reference::Value<double> &after) {
  Difference difference;
  difference.output = std::move(name);
  if (before.index() != after.index()) {
    difference.shape = "it became another kind of value";
  } else if (auto *tensor = std::get_if<Tensor<double>>(&before)) {
    compareTensors(*tensor, std::get<Tensor<double>>(after), difference);
  } else if (auto *integers = std::get_if<IntTensor>(&before)) {
    compareTensors(*integers, std::get<IntTensor>(after), difference);
  } else {
    const auto &x = std::get<StateBatch<double>>(before).sequences, &y = std::get<StateBatch<double>>(after).sequences;
    if (x.size() != y.size())
      difference.shape = "the number of sequences changed";
    for (size_t s = 0; s < std::min(x.size(), y.size()); ++s)
      compareTensors(x[s], y[s], difference);
  }
  return difference;
}

} // namespace

std::vector<Difference> samba::compareResults(llvm::ArrayRef<FunctionRun> before, llvm::ArrayRef<FunctionRun> after) {
  std::vector<Difference> differences;
  for (auto [x, y] : llvm::zip(before, after)) {
    std::string prefix = before.size() > 1 ? "@" + x.function + ": " : "";
    if (x.results.size() != y.results.size()) {
      Difference difference;
      difference.output = prefix + "the results";
      difference.shape = llvm::formatv("{0} results became {1}", x.results.size(), y.results.size());
      differences.push_back(difference);
      continue;
    }
    for (size_t i = 0; i < x.results.size(); ++i)
      differences.push_back(compareValues(prefix + x.names[i], x.results[i], y.results[i]));
  }
  return differences;
}

std::string samba::firstExceeding(llvm::ArrayRef<FunctionRun> before, llvm::ArrayRef<FunctionRun> after,
                                  double tolerance) {
  for (auto [x, y] : llvm::zip(before, after))
    for (auto [probe, other] : llvm::zip(x.probes, y.probes)) {
      Difference difference;
      compareTensors(probe.second, other.second, difference);
      if (difference.exceeds(tolerance))
        return probe.first;
    }
  for (const Difference &difference : compareResults(before, after))
    if (difference.exceeds(tolerance))
      return difference.output;
  return "";
}
