//===- Report.h - results as files and tables -------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A result is a JSON object (docs/performance.md): "machine", "limits" (--limits), "models", "tests", "profiles".
// Tables are made from it, so a stored result gives the same tables again.
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_BENCH_REPORT_H
#define TOOLS_SAMBA_BENCH_REPORT_H

#include "tools/samba-bench/Options.h"

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace samba::bench {

/// A result without measurements.
nlohmann::ordered_json emptyResult();

/// Reads a result. Throws std::runtime_error if the file is not one.
nlohmann::ordered_json readResult(const std::string &path);

/// Gives each test of `result` that `earlier` has too, same model, precision, test and threads, the key "compared": the
/// earlier rate and fraction of the bound, the ratio of the medians, now to then, and its standard deviation. Returns
/// how many there are.
int compareResults(nlohmann::ordered_json &result, const nlohmann::ordered_json &earlier);

/// Throws std::runtime_error naming the key if `result` is not complete.
std::string format(const nlohmann::ordered_json &result, Format format);

} // namespace samba::bench

#endif // TOOLS_SAMBA_BENCH_REPORT_H
