//===- Draft.h - guesses of the next tokens --------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_RUN_DRAFT_H
#define TOOLS_SAMBA_RUN_DRAFT_H

#include "samba/samba.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

namespace samba::run {

/// Guesses how a sequence goes on, more cheaply than its model knows it.
class Draft {
public:
  virtual ~Draft() = default;
  /// At most `count` tokens after the sequence, which is that of the last call with more tokens at its end.
  virtual std::vector<int32_t> propose(const std::vector<int32_t> &sequence, size_t count) = 0;
  /// The probabilities that the i-th token of the last proposal was drawn with; null if nothing was drawn.
  virtual const std::vector<float> *drawnFrom(size_t i) const { return nullptr; }
  /// How many of the last tokens the last proposal goes by, of which more make it better; 0: it cannot tell.
  virtual size_t confidence() const { return 0; }
  /// Proposals take no time that counts.
  virtual bool isFree() const { return false; }
  /// What it would have guessed within a text, if it is free: calls `guess` with the confidence of each guess.
  using Guess = std::function<void(size_t confidence, bool right)>;
  virtual void learn(const std::vector<int32_t> &text, const Guess &guess) {}
};

/// What came after the last three, or else the last two, tokens where they occurred before.
class LookupDraft : public Draft {
public:
  std::vector<int32_t> propose(const std::vector<int32_t> &sequence, size_t count) override;
  size_t confidence() const override { return matched; }
  bool isFree() const override { return true; }
  void learn(const std::vector<int32_t> &text, const Guess &guess) override;

private:
  size_t find(const std::vector<int32_t> &sequence, size_t end);

  std::unordered_map<uint64_t, size_t> after[2]; // hash of two and of three tokens -> index behind them
  size_t indexed = 0;                            // tokens whose ends are in the tables
  size_t matched = 0;                            // tokens that the last proposal's place has in common, at most 8
};

/// What another model of the same vocabulary would say.
class ModelDraft : public Draft {
public:
  /// Throws std::runtime_error or samba::Exception.
  ModelDraft(const std::string &path, const samba_options &options, const Model &target,
             const samba_sampling &sampling);

  std::vector<int32_t> propose(const std::vector<int32_t> &sequence, size_t count) override;
  const std::vector<float> *drawnFrom(size_t i) const override { return greedy ? nullptr : &probabilities[i]; }

private:
  Model model;
  Session session; // has seen the first `session.position()` tokens of the sequence
  Sampler sampler;
  bool greedy;
  std::vector<float> logits;
  std::vector<std::vector<float>> probabilities;
};

} // namespace samba::run

#endif // TOOLS_SAMBA_RUN_DRAFT_H
