//===- main.cpp - samba-bench, measures compiled models -------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-bench/Bench.h"
#include "tools/samba-bench/Encode.h"
#include "tools/samba-bench/FusionMatrix.h"
#include "tools/samba-bench/Predict.h"
#include "tools/samba-bench/Profile.h"
#include "tools/samba-bench/Report.h"
#include "tools/samba-run/Console.h"

#include <cstdio>
#include <nlohmann/json.hpp>

using namespace samba::bench;
using nlohmann::ordered_json;
using samba::run::print;

static ordered_json measure(const Options &options) {
  ordered_json result = emptyResult();
  LimitProbe probe;
  if (options.limits) {
    std::vector<int64_t> threads = options.threads;
    if (threads.empty())
      threads = usableCores() > 1 ? std::vector<int64_t>{1, usableCores()} : std::vector<int64_t>{1};
    for (int64_t count : threads) {
      ordered_json row = {{"threads", count}};
      row.update(toJson(probe.measure(static_cast<int>(count), 0.3)));
      result["limits"].push_back(row);
    }
  }
  if (options.fusionMatrix)
    runFusionMatrix(options, result);
  for (const std::string &path : options.models) {
    if (options.fusionMatrix)
      break;
    if (options.encode)
      runEncoding(path, options, result["encoding"]);
    else if (options.predict)
      runPredictions(path, options, result["predictions"]);
    else if (options.ops != Ops::None || options.trace)
      runProfiles(path, options, probe, result["models"], result["profiles"]);
    else
      runTests(path, options, probe, result["models"], result["tests"]);
  }
  // As it was before this program was part of it.
  double load = result["machine"]["load_average"];
  if (load > 0.5 * usableCores())
    std::fprintf(stderr, "samba-bench: warning: the load average was %.1f on %d cores: other programs disturbed this\n",
                 load, usableCores());
  return result;
}

/// A result that a file gave may lack anything.
static std::string present(ordered_json result, const ordered_json &earlier, const Options &options) {
  try {
    if (!earlier.is_null() && compareResults(result, earlier) == 0)
      std::fprintf(stderr, "samba-bench: warning: '%s' has none of these tests\n", options.compare->c_str());
    return format(result, options.format);
  } catch (const ordered_json::exception &error) {
    throw std::runtime_error(std::string("a result of samba-bench is incomplete: ") + error.what());
  }
}

static void run(int argc, char **argv) {
  Options options = parseOptions(argc - 1, argv + 1);
  if (options.help)
    return print(helpText());
  if (options.version)
    return print(std::string("samba-bench ") + samba_version() + " (artefact version " +
                 std::to_string(samba_abi_version()) + ")\n");
  // Files are read first: it would be a pity to measure for nothing.
  ordered_json earlier = options.compare ? readResult(*options.compare) : ordered_json();
  std::string text = present(options.show ? readResult(*options.show) : measure(options), earlier, options);
  // A profile that only wrote a trace has nothing to say.
  if (!(options.trace && options.ops == Ops::None && options.format != Format::Json))
    print(text);
}

int main(int argc, char **argv) {
  samba::run::installSignals();
  try {
    run(argc, argv);
  } catch (const UsageError &error) {
    std::fprintf(stderr, "samba-bench: error: %s\n", error.what());
    return 2;
  } catch (const samba::run::ClosedPipe &) {
    return 0;
  } catch (const std::bad_alloc &) {
    std::fprintf(stderr, "samba-bench: error: out of memory\n");
    return 1;
  } catch (const std::exception &error) {
    std::fprintf(stderr, "samba-bench: error: %s\n", error.what());
    return 1;
  }
  return samba::run::interrupted() ? 130 : 0;
}
