//===- FusionMatrix.cpp - what each fusion is worth -----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-bench/FusionMatrix.h"

#include "tools/samba-bench/MarkdownTable.h"
#include "tools/samba-bench/Statistics.h"
#include "tools/samba-bench/TestRun.h"
#include "tools/samba-run/Console.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>

using namespace samba;
using namespace samba::bench;
using nlohmann::ordered_json;
namespace fs = std::filesystem;

std::vector<Variant> samba::bench::fusionVariants(const std::vector<FusionName> &known,
                                                  const std::vector<std::string> &wanted) {
  std::vector<FusionName> chosen = wanted.empty() ? known : std::vector<FusionName>();
  for (const std::string &name : wanted) {
    auto found =
        std::find_if(known.begin(), known.end(), [&](const FusionName &fusion) { return fusion.name == name; });
    if (found == known.end())
      throw UsageError("--fusion-matrix: unknown fusion '" + name + "' (samba-compile --fusion=help lists them)");
    chosen.push_back(*found);
  }
  std::vector<Variant> variants = {{"none", "none", "none"}, {"default", "default", "none"}, {"all", "all", "none"}};
  for (const FusionName &fusion : chosen)
    variants.push_back({"only " + fusion.name, fusion.name, "none"});
  for (const FusionName &fusion : chosen)
    if (fusion.isDefault)
      variants.push_back({"default without " + fusion.name, "default,-" + fusion.name, "default"});
    else
      variants.push_back({"default with " + fusion.name, "default,+" + fusion.name, "default"});
  for (const FusionName &fusion : chosen)
    variants.push_back({"all without " + fusion.name, "all,-" + fusion.name, "all"});
  return variants;
}

ordered_json samba::bench::changeOf(const std::vector<double> &seconds, const std::vector<double> &against) {
  std::vector<double> changes;
  for (size_t i = 0; i < std::min(seconds.size(), against.size()); ++i)
    changes.push_back(100 * (against[i] / seconds[i] - 1));
  if (changes.empty())
    return nullptr;
  std::sort(changes.begin(), changes.end());
  auto quantile = [&](double part) {
    double place = part * static_cast<double>(changes.size() - 1);
    size_t below = static_cast<size_t>(place), above = std::min(below + 1, changes.size() - 1);
    double weight = place - static_cast<double>(below);
    return changes[below] * (1 - weight) + changes[above] * weight;
  };
  return {{"median", quantile(0.5)}, {"lower_quartile", quantile(0.25)}, {"upper_quartile", quantile(0.75)}};
}

namespace {

constexpr const char *kControl = "none, once more";

/// One compiled variant.
struct Compiled {
  Variant variant;
  std::string path;
  size_t code; // the index of the variant whose code it has: its own, or an earlier one
  ordered_json summary;
};

int64_t bytesOf(const ordered_json &cost) {
  return cost.at("activation_bytes").get<int64_t>() + cost.at("weight_bytes").get<int64_t>() +
         cost.at("state_bytes").get<int64_t>();
}

class Matrix {
public:
  explicit Matrix(const Options &options) : options(options) {
    folder = options.keep ? *options.keep : temporary.emplace().path();
    fs::create_directories(folder);
  }

  void compile() {
    Compiler compiler;
    for (const Variant &variant : fusionVariants(compiler.fusions(), options.fusions)) {
      if (run::interrupted())
        return;
      say("compiling with --fusion=" + variant.fusions);
      std::string path = folder + "/" + std::to_string(variants.size()) + ".so";
      ordered_json summary =
          compiler.compile({options.models.front(), "-o", path, "--split-weights", "--quiet",
                            "--fusion=" + variant.fusions, "--precision=" + options.precision.value_or("f32")});
      variants.push_back({variant, path, variants.size(), std::move(summary)});
      shareFiles();
    }
  }

  ordered_json describe() {
    ordered_json rows = ordered_json::array();
    for (const Compiled &compiled : variants) {
      const Compiled &reference = find(compiled.variant.against);
      const ordered_json &now = compiled.summary.at("predicted"), &then = reference.summary.at("predicted");
      const Step decode, prefill = {1, 0, 256, 1};
      StepTable table = tableOf(compiled), other = tableOf(reference);
      std::vector<Loop> loops = table.loops(decode);
      auto saved = [&](const char *step) { return bytesOf(then.at(step)) - bytesOf(now.at(step)); };
      rows.push_back(
          {{"name", compiled.variant.name},
           {"fusions", compiled.variant.fusions},
           {"against", compiled.variant.against},
           {"same_code_as", compiled.code == indexOf(compiled) ? ordered_json(nullptr)
                                                               : ordered_json(variants[compiled.code].variant.name)},
           {"kernels", std::count_if(loops.begin(), loops.end(), [](const Loop &loop) { return loop.starts; })},
           {"barriers", loops.size()},
           {"barriers_saved", static_cast<int64_t>(other.loops(decode).size()) - static_cast<int64_t>(loops.size())},
           {"prefill_barriers", table.loops(prefill).size()},
           {"bytes_saved", {{"decode", saved("decode")}, {"prefill", saved("prefill")}}},
           {"predicted", now}});
    }
    return rows;
  }

  void measure(int64_t threads, const Test &test, ordered_json &tests) {
    // Those with code of their own, and the first one again.
    std::vector<size_t> runs;
    for (const Compiled &compiled : variants)
      if (compiled.code == indexOf(compiled))
        runs.push_back(indexOf(compiled));
    runs.push_back(0);
    std::vector<std::unique_ptr<Model>> models;
    std::vector<std::unique_ptr<TestRun>> timed;
    Snapshots snapshots; // a state fits all variants
    for (size_t index : runs) {
      samba_options open = SAMBA_OPTIONS_INIT;
      open.threads = static_cast<int32_t>(threads);
      open.chunk = options.chunk;
      models.push_back(std::make_unique<Model>(variants[index].path, open));
      timed.push_back(std::make_unique<TestRun>(test, *models.back(), options, snapshots));
    }
    std::vector<std::vector<double>> seconds(runs.size());
    std::vector<size_t> order(runs.size());
    for (size_t i = 0; i < order.size(); ++i)
      order[i] = i;
    std::mt19937_64 random(options.seed);
    // Round 0 does not count. Each round has its own order: what comes first or after what must not matter.
    for (int64_t round = 0; round <= options.repetitions && !run::interrupted(); ++round) {
      say(test.name() + ", " + std::to_string(models[0]->threads()) + " threads: round " + std::to_string(round) +
          " of " + std::to_string(options.repetitions));
      std::shuffle(order.begin(), order.end(), random);
      std::vector<double> times(runs.size());
      for (size_t i : order)
        times[i] = std::max(1e-9, timed[i]->run());
      for (size_t i = 0; round > 0 && i < runs.size(); ++i)
        seconds[i].push_back(times[i]);
    }
    if (seconds[0].empty())
      return;
    auto secondsOf = [&](const Compiled &compiled) -> const std::vector<double> & {
      return seconds[static_cast<size_t>(std::find(runs.begin(), runs.end(), compiled.code) - runs.begin())];
    };
    auto add = [&](const std::string &name, const std::vector<double> &own, const std::vector<double> &against) {
      std::vector<double> rates;
      for (double second : own)
        rates.push_back(static_cast<double>(test.tokens()) / second);
      tests.push_back({{"name", name},
                       {"test", test.name()},
                       {"kind", test.kind()},
                       {"threads", models[0]->threads()},
                       {"tokens", test.tokens()},
                       {"repetitions", own},
                       {"seconds", toJson(Statistics(own))},
                       {"tokens_per_s", toJson(Statistics(rates))},
                       {"change", &own == &against ? ordered_json(nullptr) : changeOf(own, against)}});
    };
    for (const Compiled &compiled : variants)
      add(compiled.variant.name, secondsOf(compiled), secondsOf(find(compiled.variant.against)));
    add(kControl, seconds.back(), seconds.front());
  }

  const std::vector<Compiled> &all() const { return variants; }

private:
  void say(const std::string &what) const {
    if (options.progress)
      std::fprintf(stderr, "%s\n", what.c_str());
  }

  size_t indexOf(const Compiled &compiled) const { return static_cast<size_t>(&compiled - variants.data()); }

  const Compiled &find(const std::string &name) const {
    return *std::find_if(variants.begin(), variants.end(),
                         [&](const Compiled &compiled) { return compiled.variant.name == name; });
  }

  StepTable tableOf(const Compiled &compiled) const {
    Model model(compiled.path);
    return StepTable(compiled.path, model.manifest(), model.cpu());
  }

  /// Weights that are there already take no further space, and code that is there already is not measured again.
  void shareFiles() {
    Compiled &last = variants.back();
    Digests digests(last.path);
    for (size_t i = 0; i + 1 < variants.size(); ++i) {
      Digests other(variants[i].path);
      if (other.weights != digests.weights)
        continue;
      std::string weights = last.path + ".weights";
      fs::remove(weights);
      fs::create_hard_link(variants[i].path + ".weights", weights);
      break;
    }
    for (size_t i = 0; i + 1 < variants.size(); ++i) {
      Digests other(variants[i].path);
      if (other.code == digests.code && other.weights == digests.weights) {
        last.code = i;
        break;
      }
    }
  }

  const Options &options;
  std::optional<TemporaryFolder> temporary;
  std::string folder;
  std::vector<Compiled> variants;
};

/// What can be said about a change if the same code, measured twice, differs by up to `noise` percent.
std::string verdict(const ordered_json &change, double noise) {
  double median = change.at("median");
  if (change.at("lower_quartile") > 0 && median > noise)
    return "faster";
  return change.at("upper_quartile") < 0 && median < -noise ? "slower" : "no difference seen";
}

std::string costsTable(const ordered_json &variants) {
  MarkdownTable table({"fusions", "against", ">kernels", ">barriers", ">saved", ">decode kB", ">saved", ">prefill kB",
                       ">saved", "same code as"});
  for (const ordered_json &row : variants) {
    auto kilobytes = [](const char *how, int64_t bytes) { return number(how, 1e-3 * static_cast<double>(bytes)); };
    const ordered_json &predicted = row.at("predicted"), &saved = row.at("bytes_saved");
    table.add({textOf(row.at("name")), textOf(row.at("against")), textOf(row.at("kernels")), textOf(row.at("barriers")),
               textOf(row.at("barriers_saved")), kilobytes("%.0f", bytesOf(predicted.at("decode"))),
               kilobytes("%.1f", saved.at("decode")), kilobytes("%.0f", bytesOf(predicted.at("prefill"))),
               kilobytes("%.0f", saved.at("prefill")), cell(row, "/same_code_as")});
  }
  return table.text();
}

/// The rows of one test and number of threads; the last one is the control.
std::string changesTable(const ordered_json &variants, const std::vector<ordered_json> &rows) {
  MarkdownTable table({"fusions", "against", ">tokens/s", ">change", ">lower quartile", ">upper quartile", "says"});
  const ordered_json &control = rows.back().at("change");
  double noise = 0;
  for (const char *key : {"median", "lower_quartile", "upper_quartile"})
    noise = std::max(noise, std::abs(control.at(key).get<double>()));
  for (const ordered_json &row : rows) {
    const ordered_json &change = row.at("change");
    std::vector<std::string> cells = {textOf(row.at("name")), "none", cell(row, "/tokens_per_s/median")};
    for (const ordered_json &variant : variants)
      if (variant.at("name") == row.at("name"))
        cells[1] = textOf(variant.at("against"));
    for (const char *key : {"median", "lower_quartile", "upper_quartile"})
      cells.push_back(change.is_null() ? "-" : number("%+.1f%%", change.at(key).get<double>()));
    cells.push_back(change.is_null() ? "-" : &row == &rows.back() ? "how far to trust this" : verdict(change, noise));
    table.add(std::move(cells));
  }
  return table.text();
}

} // namespace

void samba::bench::runFusionMatrix(const Options &options, ordered_json &result) {
  Matrix matrix(options);
  matrix.compile();
  if (matrix.all().empty() || run::interrupted())
    return;
  {
    Model model(matrix.all().front().path);
    result["models"].push_back(
        describeModel(options.models.front(), model, StepTable(options.models.front(), model.manifest(), model.cpu())));
  }
  ordered_json tests = ordered_json::array();
  std::vector<Test> wanted = testsOf(options);
  for (int64_t threads : options.threads.empty() ? std::vector<int64_t>{0} : options.threads)
    for (const Test &test : wanted)
      if (!run::interrupted())
        matrix.measure(threads, test, tests);
  result["fusion_matrix"] = {{"model", result["models"].back().at("model")},
                             {"precision", options.precision.value_or("f32")},
                             {"variants", matrix.describe()},
                             {"tests", std::move(tests)}};
}

std::string samba::bench::fusionMatrixMarkdown(const ordered_json &matrix) {
  std::string text =
      textOf(matrix.at("model")) + ", " + textOf(matrix.at("precision")) +
      ": what the fusions of a variant should save against another one, in a step of one token after 1024 "
      "(decode) and of 256 tokens (prefill)\n\n";
  text += costsTable(matrix.at("variants"));
  const ordered_json &tests = matrix.at("tests");
  for (size_t begin = 0, end; begin < tests.size(); begin = end) {
    const ordered_json &first = tests[begin];
    std::vector<ordered_json> rows;
    for (end = begin; end < tests.size() && tests[end].at("test") == first.at("test") &&
                      tests[end].at("threads") == first.at("threads");
         ++end)
      rows.push_back(tests[end]);
    text += "\n" + textOf(first.at("test")) + ", " + textOf(first.at("threads")) +
            (first.at("threads") == 1 ? " thread" : " threads") +
            ": measured change of the rate, median and quartiles of " + std::to_string(first.at("repetitions").size()) +
            " rounds\n\n" + changesTable(matrix.at("variants"), rows);
  }
  return text;
}
