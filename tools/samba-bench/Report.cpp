//===- Report.cpp - results as files and tables ---------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-bench/Report.h"

#include "tools/samba-bench/Encode.h"
#include "tools/samba-bench/FusionMatrix.h"
#include "tools/samba-bench/Limits.h"
#include "tools/samba-bench/MarkdownTable.h"
#include "tools/samba-bench/Predict.h"
#include "tools/samba-run/Input.h"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <nlohmann/json.hpp>

using namespace samba::bench;
using nlohmann::ordered_json;
using Pointer = ordered_json::json_pointer;

namespace {

std::string countOf(const ordered_json &count, const char *what) {
  return textOf(count) + " " + what + (count == 1 ? "" : "s");
}

std::string machineLine(const ordered_json &machine) {
  std::string line = textOf(machine.at("cpu")) + ", " + countOf(machine.at("usable_cores"), "core");
  if (double load = machine.at("load_average"); load >= 0)
    line += ", load average " + brief(load);
  return line + "\n\n";
}

std::string limitsTable(const ordered_json &limits) {
  MarkdownTable table({">threads", ">f32 GFLOP/s", ">bf16 GFLOP/s", ">int8 GOP/s", ">read GB/s"});
  for (const ordered_json &row : limits)
    table.add({cell(row, "/threads"), cell(row, "/f32_flops_per_s", 1e-9), cell(row, "/bf16_flops_per_s", 1e-9),
               cell(row, "/int8_ops_per_s", 1e-9), cell(row, "/read_bytes_per_s", 1e-9)});
  return table.text();
}

std::string testsTable(const ordered_json &tests) {
  bool devices = std::any_of(tests.begin(), tests.end(),
                             [](const ordered_json &test) { return test.value("device", "cpu") != "cpu"; });
  bool compared =
      std::any_of(tests.begin(), tests.end(), [](const ordered_json &test) { return test.contains("compared"); });
  std::vector<std::string> titles = {"model", "weights",  ">threads",  "test",   ">tokens/s", ">mean",
                                     ">sd",   ">minimum", ">of bound", ">bound", "bound by"};
  if (compared)
    titles.insert(titles.end(), {">earlier", ">of bound", ">ratio", ">sd"});
  if (devices)
    titles.push_back("device");
  MarkdownTable table(titles);
  for (const ordered_json &test : tests) {
    std::vector<std::string> row = {textOf(test.at("model")),
                                    textOf(test.at("precision")),
                                    textOf(test.at("threads")),
                                    textOf(test.at("test")),
                                    cell(test, "/tokens_per_s/median"),
                                    cell(test, "/tokens_per_s/mean"),
                                    cell(test, "/tokens_per_s/deviation"),
                                    cell(test, "/tokens_per_s/minimum"),
                                    cell(test, "/of_bound"),
                                    cell(test, "/bound/tokens_per_s"),
                                    cell(test, "/bound/binding")};
    if (compared)
      row.insert(row.end(), {cell(test, "/compared/tokens_per_s"), cell(test, "/compared/of_bound"),
                             cell(test, "/compared/ratio"), cell(test, "/compared/deviation")});
    if (devices)
      row.push_back(test.value("device", "cpu"));
    table.add(std::move(row));
  }
  return table.text();
}

std::string profileTable(const ordered_json &profile) {
  std::string text = textOf(profile.at("model")) + ", " + textOf(profile.at("precision")) + ", " +
                     countOf(profile.at("threads"), "thread") + ", " + textOf(profile.at("step")) + ": " +
                     cell(profile, profile.value("best", false) ? "/seconds/minimum" : "/seconds/median", 1e3) +
                     (profile.value("best", false) ? " ms at best, " : " ms, ") + textOf(profile.at("barriers")) +
                     " barriers, " + cell(profile, "/of_bound") + " of the sum of bounds\n\n";
  const ordered_json &kernels = profile.at("kernels");
  bool layers = std::any_of(kernels.begin(), kernels.end(),
                            [](const ordered_json &kernel) { return !kernel.at("layer").is_null(); });
  std::vector<std::string> titles = {"kernel",   ">launches", ">barriers", ">ms",     ">share",
                                     ">GFLOP/s", ">GB/s",     ">of bound", "bound by"};
  if (layers)
    titles.insert(titles.begin(), "layer");
  MarkdownTable table(titles);
  for (const ordered_json &kernel : kernels) {
    bool bound = kernel.at("bound_s").get<double>() > 0;
    std::vector<std::string> row = {textOf(kernel.at("kernel")),
                                    textOf(kernel.at("launches")),
                                    textOf(kernel.at("barriers")),
                                    cell(kernel, "/seconds", 1e3),
                                    number("%.1f%%", 100 * kernel.at("share").get<double>()),
                                    cell(kernel, "/flops_per_s", 1e-9),
                                    cell(kernel, "/bytes_per_s", 1e-9),
                                    bound ? cell(kernel, "/of_bound") : "-",
                                    bound ? textOf(kernel.at("binding")) : "-"};
    if (layers)
      row.insert(row.begin(), cell(kernel, "/layer"));
    table.add(std::move(row));
  }
  return text + table.text();
}

std::string markdown(const ordered_json &result) {
  std::string text = machineLine(result.at("machine"));
  std::vector<std::string> parts;
  if (!result.at("limits").empty())
    parts.push_back(limitsTable(result.at("limits")));
  if (!result.at("tests").empty())
    parts.push_back(testsTable(result.at("tests")));
  for (const ordered_json &profile : result.at("profiles"))
    parts.push_back(profileTable(profile));
  if (result.contains("predictions"))
    for (const ordered_json &prediction : result["predictions"])
      parts.push_back(predictionMarkdown(prediction));
  if (result.contains("encoding"))
    parts.push_back(encodingMarkdown(result["encoding"]));
  if (result.contains("fusion_matrix"))
    parts.push_back(fusionMatrixMarkdown(result["fusion_matrix"]));
  for (size_t i = 0; i < parts.size(); ++i)
    text += (i > 0 ? "\n" : "") + parts[i];
  return text;
}

std::string csvCell(const ordered_json &row, const std::string &path) {
  const Pointer pointer(path);
  if (!row.contains(pointer) || row.at(pointer).is_null())
    return "";
  std::string text = textOf(row.at(pointer));
  if (text.find_first_of(",\"\r\n") == std::string::npos)
    return text;
  std::string quoted = "\"";
  for (char c : text)
    quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

/// A line of titles, then one for each row. The title of a column is the path of its value.
std::string csvTable(const ordered_json &rows, const std::vector<std::string> &paths) {
  std::string text;
  for (const std::string &path : paths) {
    std::string title = path.substr(1);
    std::replace(title.begin(), title.end(), '/', '.');
    text += (text.empty() ? "" : ",") + title;
  }
  text += "\n";
  for (const ordered_json &row : rows) {
    for (size_t i = 0; i < paths.size(); ++i)
      text += (i > 0 ? "," : "") + csvCell(row, paths[i]);
    text += "\n";
  }
  return text;
}

std::string csv(const ordered_json &result) {
  std::string text;
  const std::vector<std::string> limits = {"/f32_flops_per_s", "/bf16_flops_per_s", "/int8_ops_per_s",
                                           "/read_bytes_per_s"};
  if (!result.at("limits").empty()) {
    std::vector<std::string> paths = {"/threads"};
    paths.insert(paths.end(), limits.begin(), limits.end());
    text += csvTable(result.at("limits"), paths);
  }
  if (!result.at("tests").empty()) {
    std::vector<std::string> paths = {"/file",   "/model",    "/precision", "/threads", "/test",  "/kind",
                                      "/prompt", "/generate", "/batch",     "/depth",   "/chunk", "/tokens"};
    for (const char *what : {"mean", "median", "deviation", "minimum", "maximum"})
      paths.push_back(std::string("/tokens_per_s/") + what);
    for (const char *path : {"/seconds/median", "/bound/seconds", "/bound/binding", "/of_bound"})
      paths.push_back(path);
    for (const std::string &limit : limits)
      paths.push_back("/limits" + limit);
    for (const char *path : {"/compared/tokens_per_s", "/compared/of_bound", "/compared/ratio", "/compared/deviation"})
      paths.push_back(path);
    text += csvTable(result.at("tests"), paths);
  }
  if (!result.at("profiles").empty()) {
    ordered_json rows = ordered_json::array();
    for (const ordered_json &profile : result.at("profiles"))
      for (ordered_json row : profile.at("kernels")) {
        for (const char *key : {"file", "model", "precision", "threads", "step"})
          row[key] = profile.at(key);
        rows.push_back(std::move(row));
      }
    text += csvTable(rows, {"/file", "/model", "/precision", "/threads", "/step", "/layer", "/kernel", "/launches",
                            "/barriers", "/seconds", "/share", "/flops", "/exps", "/bytes", "/flops_per_s",
                            "/bytes_per_s", "/bound_s", "/binding", "/of_bound"});
  }
  if (result.contains("predictions")) {
    ordered_json rows = ordered_json::array();
    for (const ordered_json &prediction : result["predictions"])
      for (ordered_json row : prediction.at("kernels")) {
        for (const char *key : {"file", "model", "precision", "gpu", "step"})
          row[key] = prediction.at(key);
        rows.push_back(std::move(row));
      }
    text += csvTable(rows,
                     {"/file", "/model", "/precision", "/gpu", "/step", "/kernel", "/launches", "/bytes", "/mma_flops",
                      "/ex2", "/fp32", "/coalescing", "/bank_conflicts", "/predicted_s", "/predicted_by"});
  }
  if (result.contains("encoding"))
    text += csvTable(result["encoding"], {"/file", "/encoder", "/bytes", "/tokens", "/load_s", "/seconds/minimum",
                                          "/seconds/median", "/bytes_per_s"});
  if (result.contains("fusion_matrix")) {
    text += csvTable(result["fusion_matrix"].at("variants"),
                     {"/name", "/fusions", "/against", "/same_code_as", "/kernels", "/barriers", "/barriers_saved",
                      "/bytes_saved/decode", "/bytes_saved/prefill", "/predicted/decode/microseconds",
                      "/predicted/prefill/microseconds"});
    text += csvTable(result["fusion_matrix"].at("tests"),
                     {"/name", "/test", "/threads", "/tokens_per_s/median", "/tokens_per_s/deviation", "/change/median",
                      "/change/lower_quartile", "/change/upper_quartile"});
  }
  return text;
}

bool sameTest(const ordered_json &a, const ordered_json &b) {
  for (const char *key : {"model", "precision", "threads", "test"})
    if (a.at(key) != b.at(key))
      return false;
  return a.value("device", "cpu") == b.value("device", "cpu");
}

} // namespace

ordered_json samba::bench::emptyResult() {
  char date[32];
  std::time_t time = std::time(nullptr);
  std::strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&time));
  return {{"tool", "samba-bench"},          {"version", samba_version()},       {"date", date},
          {"machine", describeMachine()},   {"limits", ordered_json::array()},  {"models", ordered_json::array()},
          {"tests", ordered_json::array()}, {"profiles", ordered_json::array()}};
}

ordered_json samba::bench::readResult(const std::string &path) {
  ordered_json result = ordered_json::parse(run::readFile(path), nullptr, false);
  bool valid = result.is_object() && result.value("tool", ordered_json()) == "samba-bench";
  for (const char *key : {"limits", "tests", "profiles"})
    valid = valid && result.contains(key) && result[key].is_array();
  if (!valid)
    throw std::runtime_error("'" + path + "' is not a result that samba-bench --json has written");
  return result;
}

int samba::bench::compareResults(ordered_json &result, const ordered_json &earlier) {
  int count = 0;
  for (ordered_json &test : result["tests"])
    for (const ordered_json &other : earlier.at("tests")) {
      if (!sameTest(test, other))
        continue;
      const ordered_json &now = test.at("tokens_per_s"), &then = other.at("tokens_per_s");
      double median = now.at("median"), earlierMedian = then.at("median");
      if (!(median > 0 && earlierMedian > 0))
        continue;
      double ratio = median / earlierMedian;
      // Of a quotient of independent values.
      double deviation = ratio * std::hypot(now.at("deviation").get<double>() / median,
                                            then.at("deviation").get<double>() / earlierMedian);
      test["compared"] = {{"tokens_per_s", earlierMedian},
                          {"of_bound", other.value("of_bound", ordered_json())},
                          {"ratio", ratio},
                          {"deviation", deviation}};
      ++count;
      break;
    }
  return count;
}

std::string samba::bench::format(const ordered_json &result, Format format) {
  if (format == Format::Json)
    return result.dump(1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
  return format == Format::Csv ? csv(result) : markdown(result);
}
