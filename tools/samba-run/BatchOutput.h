//===- BatchOutput.h - the results of a batch ------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_RUN_BATCHOUTPUT_H
#define TOOLS_SAMBA_RUN_BATCHOUTPUT_H

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

namespace samba::run {

/// Puts results, which come in any order, in the order of their lines.
///
/// For a file OUT, each result is appended to the journal OUT.partial as soon as it is there, and finish() makes OUT of
/// it. A journal that is found, of a run that did not come to its end, counts: a result in it is known by its line
/// number and a key of line and settings, and a last line that is cut off is none.
/// Without a file, results go to standard output as soon as those before them are there.
class BatchOutput {
public:
  /// Throws std::runtime_error, as do the others.
  explicit BatchOutput(std::optional<std::string> path);
  BatchOutput(const BatchOutput &) = delete;
  ~BatchOutput();

  /// Whether the journal has the result of this line already.
  bool knows(uint64_t line, const std::string &key) const;
  /// Says that there is a line with this number; in order.
  void expect(uint64_t line);
  /// `result` is JSON in one line.
  void add(uint64_t line, const std::string &key, const std::string &result);
  /// All lines are done.
  void finish();

private:
  struct Place {
    std::string key;
    uint64_t offset, bytes; // of the result in the journal
  };
  void openJournal();
  void append(const std::string &text);
  void printReady();

  std::optional<std::string> path;
  int journal = -1;
  uint64_t end = 0;                      // of the journal
  std::map<uint64_t, Place> places;      // by line
  std::set<uint64_t> lines;              // of this run; for standard output, those not printed yet
  std::map<uint64_t, std::string> early; // for standard output: results that wait for others
};

} // namespace samba::run

#endif // TOOLS_SAMBA_RUN_BATCHOUTPUT_H
