//===- StateTrialsTest.cpp - random interruptions of random schedules ----===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Several sequences are fed in pieces of random lengths, batched at random, and between the steps their sessions are
// saved, loaded, forked, copied, restored, marked and rolled back at random. Every row of logits must be the predicted
// one. TRIALS in the environment is the number of trials, SEED the first one's number. The same on real models:
// test/tools/samba-run/states-random.test.
//
//===----------------------------------------------------------------------===//

#include "samba/samba.hpp"
#include "test/unit/runtime/FakeArtefact.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <gtest/gtest.h>
#include <random>

using namespace samba;
using namespace samba::test;

namespace {

uint64_t fromEnvironment(const char *name, uint64_t otherwise) {
  const char *value = std::getenv(name);
  return value ? std::strtoull(value, nullptr, 10) : otherwise;
}

class Trial {
public:
  Trial(const FakeArtefact &artefact, const Model &model, const Folder &folder, uint64_t seed)
      : model(model), file(folder / "state"), random(seed), reach(samba_max_rollback(model.get())) {
    for (uint64_t s = 0, count = 1 + below(5); s < count; ++s) {
      std::vector<int32_t> tokens = someTokens(1 + below(60), static_cast<uint32_t>(seed * 8 + s));
      sequences.push_back({Session(model), tokens, predictLogits(artefact, tokens)});
    }
  }

  /// An empty text, or what went wrong.
  std::string run() {
    while (true) {
      std::vector<size_t> left;
      for (size_t s = 0; s < sequences.size(); ++s)
        if (at(sequences[s]) < sequences[s].tokens.size())
          left.push_back(s);
      if (left.empty())
        return "";
      for (uint64_t i = below(4); i > 0; --i)
        if (std::string wrong = interrupt(sequences[below(sequences.size())]); !wrong.empty())
          return wrong;
      std::shuffle(left.begin(), left.end(), random);
      left.resize(1 + below(left.size()));
      if (!step(left))
        return "wrong logits";
    }
  }

private:
  struct Sequence {
    Session session;
    std::vector<int32_t> tokens;
    std::vector<float> logits; // predicted
  };

  uint64_t below(uint64_t limit) { return std::uniform_int_distribution<uint64_t>(0, limit - 1)(random); }
  static size_t at(const Sequence &sequence) { return static_cast<size_t>(sequence.session.position()); }

  /// Feeds some tokens to some sequences; false if a row is not the predicted one.
  bool step(const std::vector<size_t> &chosen) {
    std::vector<samba_segment> segments;
    std::vector<size_t> last;
    std::vector<float> expected;
    for (size_t s : chosen) {
      Sequence &sequence = sequences[s];
      size_t begin = at(sequence), count = below(1 + std::min<size_t>(20, sequence.tokens.size() - begin));
      segments.push_back({sequence.session.get(), &sequence.tokens[begin], count});
      last.push_back(below(count + 1));
      auto end = sequence.logits.begin() + static_cast<ptrdiff_t>((begin + count) * vocabSize);
      expected.insert(expected.end(), end - static_cast<ptrdiff_t>(last.back() * vocabSize), end);
    }
    std::vector<float> logits(expected.size());
    model.evaluate(segments, last, logits);
    return logits == expected;
  }

  void feedOther(Session &session, uint64_t count) {
    std::vector<int32_t> other = someTokens(count, static_cast<uint32_t>(random()));
    session.evaluate(other.data(), other.size(), SAMBA_ROWS_NONE, nullptr, 0);
  }

  std::string interrupt(Sequence &sequence) {
    Session &session = sequence.session;
    std::string before(static_cast<const char *>(session.state()), stateBytes);
    int64_t position = session.position(), note = static_cast<int64_t>(random());
    session.setNote(note);
    switch (below(6)) {
    case 0: { // by memory
      std::string blob(samba_saved_bytes(model.get()), '\0');
      size_t bytes = 0;
      samba_session *loaded = nullptr;
      check(samba_session_serialize(session.get(), blob.data(), blob.size(), &bytes));
      feedOther(session, 3); // the saved one must not notice
      check(samba_session_deserialize(model.get(), blob.data(), bytes, &loaded));
      check(samba_session_copy(session.get(), loaded));
      samba_session_free(loaded);
      // One bit that is wrong.
      size_t bit = below(blob.size() * 8);
      blob[bit / 8] = static_cast<char>(blob[bit / 8] ^ (1 << bit % 8));
      if (samba_session_deserialize(model.get(), blob.data(), bytes, &loaded) == SAMBA_OK)
        return "a flipped bit was not found: " + std::to_string(bit);
      break;
    }
    case 1: // by a file
      session.save(file);
      session = Session::load(model, file);
      break;
    case 2: { // on with the child
      Session child = session.fork();
      feedOther(session, 1 + below(5));
      session = std::move(child);
      break;
    }
    case 3: { // on with the parent
      Session child = session.fork(), grandchild = child.fork();
      feedOther(grandchild, 1 + below(5));
      feedOther(child, 1 + below(5));
      break;
    }
    case 4: // by a snapshot
      feedOther(session, 1);
      check(samba_session_restore(session.get(), before.data(), before.size(), position));
      session.setNote(note);
      break;
    case 5: { // there and back, by one or two marks
      uint64_t most = reach < 0 ? 30 : static_cast<uint64_t>(reach), first = below(most + 1), second = 0;
      session.mark();
      feedOther(session, first);
      if (below(2)) {
        session.mark();
        second = below(most - first + 1);
        feedOther(session, second);
        if (below(2)) {
          session.rollback(static_cast<int64_t>(second));
          second = 0;
        }
      }
      session.rollback(static_cast<int64_t>(first + second));
      break;
    }
    }
    if (session.position() != position || session.note() != note)
      return "wrong position or note";
    return std::memcmp(session.state(), before.data(), stateBytes) == 0 ? "" : "wrong state";
  }

  const Model &model;
  std::string file;
  std::mt19937_64 random;
  int64_t reach;
  std::vector<Sequence> sequences;
};

TEST(StateTrials, LogitsAreThoseOfARunWithoutInterruption) {
  Folder folder;
  FakeArtefact artefact, ringless, narrow;
  ringless.manifest["state"]["fields"][2]["name"] = "layers.1.other"; // so that marks reach any distance
  artefact.write(folder / "model.so");
  ringless.write(folder / "ringless.so");
  narrow.manifest["state"]["fields"][2]["dtype"] = "i8";
  narrow.manifest["state"]["fields"][2]["shape"] = {1, 2, 4}; // as many bytes as [1, 2, 2] in f32
  narrow.write(folder / "narrow.so");
  std::vector<Model> models;
  for (const char *name : {"model.so", "ringless.so", "narrow.so"})
    for (int64_t chunk : {1, 7, 512})
      models.emplace_back(folder / name, samba_options{sizeof(samba_options), 1, 0, chunk});
  uint64_t trials = fromEnvironment("TRIALS", 300), seed = fromEnvironment("SEED", 1);
  for (uint64_t i = seed; i < seed + trials; ++i)
    ASSERT_EQ(Trial(artefact, models[i % models.size()], folder, i).run(), "") << "SEED=" << i;
}

} // namespace
