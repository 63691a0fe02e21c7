//===- StateTest.cpp - saving, forking and going back --------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/StateMemory.h"
#include "samba/samba.hpp"
#include "test/unit/runtime/FakeArtefact.h"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <thread>

#define XXH_INLINE_ALL
#include <xxhash.h>

using namespace samba;
using namespace samba::test;

namespace {

class State : public testing::Test {
protected:
  Model open() {
    artefact.write(folder / "model.so");
    return Model(folder / "model.so");
  }

  static std::string bytes(const Session &session) { return {static_cast<const char *>(session.state()), stateBytes}; }

  static std::vector<float> feed(Session &session, const std::vector<int32_t> &tokens) {
    std::vector<float> logits(tokens.size() * vocabSize);
    session.evaluate(tokens.data(), tokens.size(), SAMBA_ROWS_ALL, logits.data(), logits.size());
    return logits;
  }

  std::vector<int32_t> slice(size_t from, size_t to) const {
    return {tokens.begin() + static_cast<ptrdiff_t>(from), tokens.begin() + static_cast<ptrdiff_t>(to)};
  }
  std::vector<float> expected(size_t from, size_t to) const {
    return {logits.begin() + static_cast<ptrdiff_t>(from * vocabSize),
            logits.begin() + static_cast<ptrdiff_t>(to * vocabSize)};
  }

  static std::string serialize(const Session &session, const Model &model) {
    std::string blob(samba_saved_bytes(model.get()), '\0');
    size_t size = 0;
    EXPECT_EQ(samba_session_serialize(session.get(), blob.data(), blob.size(), &size), SAMBA_OK);
    EXPECT_EQ(size, blob.size());
    return blob;
  }
  static samba_status deserialize(const Model &model, const std::string &blob) {
    samba_session *session = nullptr;
    samba_status status = samba_session_deserialize(model.get(), blob.data(), blob.size(), &session);
    EXPECT_EQ(session != nullptr, status == SAMBA_OK);
    samba_session_free(session);
    return status;
  }

  Folder folder;
  FakeArtefact artefact;
  std::vector<int32_t> tokens = someTokens(60);
  std::vector<float> logits = predictLogits(artefact, tokens);
};

TEST_F(State, SaveAndLoad) {
  Model model = open();
  Session session(model);
  size_t size = samba_saved_bytes(model.get());
  for (size_t length : {0, 1, 40}) {
    session.reset();
    feed(session, slice(0, length));
    session.setNote(static_cast<int64_t>(length) - 7);
    session.save(folder / "state");
    EXPECT_EQ(std::filesystem::file_size(folder / "state"), size) << "constant";
    Session loaded = Session::load(model, folder / "state");
    EXPECT_EQ(loaded.position(), static_cast<int64_t>(length));
    EXPECT_EQ(loaded.note(), static_cast<int64_t>(length) - 7);
    EXPECT_EQ(bytes(loaded), bytes(session));
    EXPECT_EQ(feed(loaded, slice(length, 60)), expected(length, 60));
    EXPECT_EQ(serialize(session, model), readBytes(folder / "state"));
  }
  EXPECT_EQ(size % 64, 0u);
  std::string blob = readBytes(folder / "state");
  auto table = nlohmann::json::parse(blob.substr(64, size - 64 - stateBytes));
  EXPECT_EQ(table["fields"], artefact.manifest["state"]["fields"]);
  EXPECT_EQ(table["model"], "fake");
}

TEST_F(State, EveryFlippedBitIsFound) {
  Model model = open();
  Session session(model);
  feed(session, slice(0, 11));
  std::string blob = serialize(session, model);
  ASSERT_EQ(deserialize(model, blob), SAMBA_OK);
  for (size_t bit = 0; bit < blob.size() * 8; ++bit) {
    std::string damaged = blob;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    samba_status status = deserialize(model, damaged);
    samba_status wanted = bit / 8 >= 8 && bit / 8 < 12 ? SAMBA_ERROR_ABI : SAMBA_ERROR_FORMAT;
    ASSERT_EQ(status, wanted) << "bit " << bit << ": " << samba_last_error();
  }
  for (size_t size = 0; size < blob.size(); ++size)
    ASSERT_EQ(deserialize(model, blob.substr(0, size)), SAMBA_ERROR_FORMAT) << size;
  EXPECT_EQ(deserialize(model, blob + '\0'), SAMBA_ERROR_FORMAT);
}

TEST_F(State, AttachmentsGoAlong) {
  Model model = open();
  Session session(model);
  feed(session, slice(0, 11));
  EXPECT_EQ(session.attachment(), "");
  std::string bytes("some\0thing", 10);
  session.attach(bytes);
  Session child = session.fork(), copy(model);
  copy.copyFrom(session);
  session.save(folder / "state");
  EXPECT_EQ(std::filesystem::file_size(folder / "state"), samba_saved_bytes(model.get()) + bytes.size());
  Session loaded = Session::load(model, folder / "state");
  for (const Session *other : {&child, &copy, &loaded})
    EXPECT_EQ(other->attachment(), bytes);
  EXPECT_EQ(feed(loaded, slice(11, 60)), expected(11, 60));
  size_t size = 0;
  EXPECT_EQ(samba_session_serialize(session.get(), nullptr, 0, &size), SAMBA_ERROR_LIMIT);
  EXPECT_EQ(size, samba_saved_bytes(model.get()) + bytes.size());
  std::string blob = readBytes(folder / "state");
  for (size_t bit = (blob.size() - bytes.size()) * 8; bit < blob.size() * 8; ++bit) {
    std::string damaged = blob;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    ASSERT_EQ(deserialize(model, damaged), SAMBA_ERROR_FORMAT) << bit;
  }
  session.reset();
  EXPECT_EQ(session.attachment(), "");
  std::string most(SAMBA_MAX_ATTACHMENT, 'x');
  session.attach(most);
  session.save(folder / "state");
  EXPECT_EQ(Session::load(model, folder / "state").attachment(), most);
  EXPECT_EQ(samba_session_attach(session.get(), most.data(), most.size() + 1), SAMBA_ERROR_ARGUMENT);
  EXPECT_NE(std::string(samba_last_error()).find("expected at most 1048576 bytes, found 1048577"), std::string::npos);
  EXPECT_EQ(session.attachment(), most);
}

// Version 1 has no attachment; it is else the same.
TEST_F(State, OlderVersions) {
  Model model = open();
  Session session(model);
  feed(session, slice(0, 11));
  session.setNote(5);
  auto asVersion = [](std::string blob, uint32_t version) {
    std::memcpy(&blob[8], &version, sizeof(version));
    std::string covered = blob.substr(0, 56) + blob.substr(64);
    uint64_t checksum = XXH3_64bits(covered.data(), covered.size());
    std::memcpy(&blob[56], &checksum, sizeof(checksum));
    return blob;
  };
  std::string blob = serialize(session, model);
  EXPECT_EQ(blob, asVersion(blob, 2));
  samba_session *old = nullptr;
  std::string first = asVersion(blob, 1);
  ASSERT_EQ(samba_session_deserialize(model.get(), first.data(), first.size(), &old), SAMBA_OK) << samba_last_error();
  EXPECT_EQ(samba_session_position(old), 11);
  EXPECT_EQ(samba_session_note(old), 5);
  EXPECT_EQ(std::memcmp(samba_session_state(old), session.state(), stateBytes), 0);
  samba_session_free(old);
  for (uint32_t version : {0u, 3u, 1u << 31})
    EXPECT_EQ(deserialize(model, asVersion(blob, version)), SAMBA_ERROR_ABI) << version;
  EXPECT_NE(std::string(samba_last_error()).find("has state version 2147483648, this runtime loads versions 1 to 2"),
            std::string::npos)
      << samba_last_error();
}

TEST_F(State, OfAnotherModel) {
  Model model = open();
  Session session(model);
  std::string blob = serialize(session, model);
  // The same again is the same model, wherever it lies.
  Model again = open();
  EXPECT_EQ(deserialize(again, blob), SAMBA_OK);
  FakeArtefact original = artefact;
  auto expectForeign = [&](const char *what) {
    Model other = open();
    EXPECT_EQ(deserialize(other, blob), SAMBA_ERROR_MISMATCH) << what;
    EXPECT_NE(std::string(samba_last_error()).find("is the state of another model than 'fake'"), std::string::npos);
    blob[100] ^= 1;
    EXPECT_EQ(deserialize(other, blob), SAMBA_ERROR_FORMAT) << what << ": damage is damage";
    blob[100] ^= 1;
    artefact = original;
  };
  artefact.weights[5] = static_cast<char>(artefact.weights[5] ^ 1);
  expectForeign("weights");
  artefact.manifest["state"]["fields"][0]["name"] = "layers.0.tail";
  expectForeign("layout");
  artefact.manifest["state"]["bytes"] = 192;
  expectForeign("size");
  artefact.manifest["model"]["rope_theta"] = 7;
  expectForeign("architecture");
}

// Its field table is read for the message.
TEST_F(State, OfAnotherModelWithADeepTable) {
  Model model = open();
  std::string blob = serialize(Session(model), model);
  const uint32_t tableBytes = 1000000; // within the piece that is read at once
  std::string table = R"({"model":)" + std::string(tableBytes / 2 - 10, '[');
  table += std::string(tableBytes / 2 - 10, ']') + "}";
  table.resize(tableBytes, ' ');
  blob = blob.substr(0, 64) + table;
  uint64_t size = blob.size();
  std::memcpy(&blob[12], &tableBytes, 4);
  std::memcpy(&blob[48], &size, 8);
  std::string covered = blob.substr(0, 56) + blob.substr(64);
  uint64_t checksum = XXH3_64bits(covered.data(), covered.size());
  std::memcpy(&blob[56], &checksum, sizeof(checksum));
  EXPECT_EQ(deserialize(model, blob), SAMBA_ERROR_FORMAT);
  EXPECT_STREQ(samba_last_error(), "the state in memory: the field table is nested deeper than 64");
}

// Of a model that was compiled with another --kv, the message says so.
TEST_F(State, OfTheSameModelInAnotherType) {
  Model model = open();
  Session session(model);
  std::string blob = serialize(session, model);
  for (const char *dtype : {"bf16", "i8"}) {
    artefact.manifest["state"]["fields"][2]["dtype"] = dtype;
    Model other = open();
    EXPECT_EQ(deserialize(other, blob), SAMBA_ERROR_MISMATCH);
    EXPECT_EQ(std::string(samba_last_error()),
              "the state in memory is the state of another model than 'fake': its 'layers.1.key' is of f32, expected " +
                  std::string(dtype) + " (--kv of samba-compile)");
  }
}

// A slot of a ring in i8 has its scale: the field is longer than its integers, and so is what a mark saves.
TEST_F(State, RingsOfIntegers) {
  artefact.manifest["state"]["fields"][2]["dtype"] = "i8";
  artefact.manifest["state"]["fields"][2]["shape"] = {1, 2, 4}; // as many bytes as [1, 2, 2] in f32
  Model model = open();
  const samba_state_field *field = samba_state_field_at(model.get(), 2);
  EXPECT_STREQ(field->dtype, "i8");
  EXPECT_EQ(field->bytes, 1u * 2 * (4 + 4));
  EXPECT_EQ(samba_max_rollback(model.get()), 2);
  Session session(model);
  feed(session, slice(0, 11));
  std::string before = bytes(session);
  session.mark();
  feed(session, slice(11, 13));
  EXPECT_NE(bytes(session).substr(96, 16), before.substr(96, 16));
  session.rollback(2);
  EXPECT_EQ(bytes(session), before);
  session.save(folder / "state");
  EXPECT_EQ(bytes(Session::load(model, folder / "state")), before);
  EXPECT_EQ(feed(session, slice(11, 60)), expected(11, 60));
}

TEST_F(State, SaveIsAllOrNothing) {
  Model model = open();
  Session session(model);
  feed(session, slice(0, 5));
  session.save(folder / "state");
  std::string before = readBytes(folder / "state");
  feed(session, slice(5, 10));
  EXPECT_EQ(samba_session_save(session.get(), "/dev/full"), SAMBA_ERROR_IO);
  EXPECT_NE(std::string(samba_last_error()).find("No space left"), std::string::npos) << samba_last_error();
  EXPECT_EQ(samba_session_save(session.get(), (folder / "no/folder").c_str()), SAMBA_ERROR_IO);
  // A limit on file sizes stops the writing half way.
  rlimit old;
  ::getrlimit(RLIMIT_FSIZE, &old);
  rlimit small = {100, old.rlim_max};
  auto ignored = std::signal(SIGXFSZ, SIG_IGN);
  ::setrlimit(RLIMIT_FSIZE, &small);
  EXPECT_EQ(samba_session_save(session.get(), (folder / "state").c_str()), SAMBA_ERROR_IO);
  ::setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, ignored);
  EXPECT_EQ(readBytes(folder / "state"), before);
  size_t files = 0;
  for (const auto &entry : std::filesystem::directory_iterator(folder / "."))
    files += entry.path().filename().string().find("partial") != std::string::npos;
  EXPECT_EQ(files, 0u);
  samba_session *none = nullptr;
  EXPECT_EQ(samba_session_load(model.get(), (folder / "missing").c_str(), &none), SAMBA_ERROR_IO);
  EXPECT_EQ(samba_session_load(model.get(), (folder / "model.so").c_str(), &none), SAMBA_ERROR_FORMAT);
  EXPECT_EQ(none, nullptr);
}

TEST_F(State, SerializeTellsTheSize) {
  Model model = open();
  Session session(model);
  size_t size = 0;
  EXPECT_EQ(samba_session_serialize(session.get(), nullptr, 0, &size), SAMBA_ERROR_LIMIT);
  EXPECT_EQ(size, samba_saved_bytes(model.get()));
}

TEST_F(State, SavedPositionBeyondTheContext) {
  artefact.manifest["model"]["max_context"] = 10;
  Model model = open();
  Session session(model);
  std::string state = bytes(session);
  EXPECT_EQ(samba_session_restore(session.get(), state.data(), state.size(), 11), SAMBA_ERROR_CONTEXT_FULL);
}

TEST_F(State, ForksAreIndependent) {
  Model model = open();
  Session parent(model);
  feed(parent, slice(0, 20));
  parent.setNote(5);
  Session a = parent.fork(), b = parent.fork();
  EXPECT_EQ(a.note(), 5);
  std::string before = bytes(parent);
  EXPECT_EQ(feed(a, slice(20, 30)), expected(20, 30));
  EXPECT_EQ(bytes(parent), before);
  EXPECT_EQ(bytes(b), before);
  EXPECT_EQ(feed(parent, slice(20, 25)), expected(20, 25));
  EXPECT_EQ(bytes(b), before);
  // Forks of what has gone on since, and of forks.
  Session c = parent.fork(), d = a.fork();
  EXPECT_EQ(feed(c, slice(25, 60)), expected(25, 60));
  EXPECT_EQ(feed(d, slice(30, 60)), expected(30, 60));
  EXPECT_EQ(feed(b, slice(20, 60)), expected(20, 60));
  Session e = b.fork();
  b.reset();
  EXPECT_EQ(feed(b, slice(0, 60)), expected(0, 60));
  EXPECT_EQ(e.position(), 60);
}

TEST_F(State, ForkSeesWhatCallersWrite) {
  Model model = open();
  Session parent(model);
  feed(parent, slice(0, 4));
  float *values = static_cast<float *>(samba_session_state(parent.get()));
  Session first = parent.fork();
  values[0] = 77;
  Session second = parent.fork();
  EXPECT_EQ(bytes(second), bytes(parent));
  EXPECT_NE(bytes(first), bytes(parent));
}

TEST_F(State, ForksOfAThread) {
  Model model = open();
  Session parent(model);
  feed(parent, slice(0, 20));
  std::vector<Session> children;
  for (int i = 0; i < 8; ++i)
    children.push_back(parent.fork());
  std::vector<int> right(children.size());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < children.size(); ++i)
    threads.emplace_back([&, i] {
      Session grandchild = children[i].fork();
      right[i] =
          feed(grandchild, slice(20, 60)) == expected(20, 60) && feed(children[i], slice(20, 60)) == expected(20, 60);
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(right, std::vector<int>(children.size(), 1));
}

TEST_F(State, RollbackIsExact) {
  Model model = open();
  EXPECT_EQ(samba_max_rollback(model.get()), 2); // the ring of the fake model
  Session session(model);
  for (size_t start : {0, 1, 2, 7})
    for (size_t first : {0, 1, 2})
      for (size_t second : {0, 1, 2}) {
        if (first + second > 2)
          continue;
        session.reset();
        feed(session, slice(0, start));
        std::string atStart = bytes(session);
        session.mark();
        feed(session, slice(start, start + first));
        std::string atFirst = bytes(session);
        session.mark();
        feed(session, slice(start + first, start + first + second));
        session.rollback(static_cast<int64_t>(second));
        EXPECT_EQ(bytes(session), atFirst);
        EXPECT_EQ(session.position(), static_cast<int64_t>(start + first));
        // And on, by other ways, and back again.
        feed(session, someTokens(second, 9));
        session.rollback(static_cast<int64_t>(second));
        EXPECT_EQ(bytes(session), atFirst);
        session.rollback(static_cast<int64_t>(first));
        EXPECT_EQ(bytes(session), atStart) << start << " " << first << " " << second;
        EXPECT_EQ(session.position(), static_cast<int64_t>(start));
        EXPECT_EQ(feed(session, slice(start, 60)), expected(start, 60));
      }
}

TEST_F(State, RollbackRefusals) {
  Model model = open();
  Session session(model);
  EXPECT_EQ(samba_session_rollback(session.get(), 0), SAMBA_ERROR_ARGUMENT);
  session.mark();
  EXPECT_EQ(samba_session_rollback(session.get(), -1), SAMBA_ERROR_ARGUMENT);
  EXPECT_EQ(samba_session_rollback(session.get(), 0), SAMBA_OK);
  feed(session, slice(0, 2));
  EXPECT_EQ(samba_session_rollback(session.get(), 1), SAMBA_ERROR_ARGUMENT);
  EXPECT_NE(std::string(samba_last_error()).find("no mark 1 tokens before position 2"), std::string::npos);
  EXPECT_EQ(session.position(), 2);
  feed(session, slice(2, 3)); // the mark is too far away now
  EXPECT_EQ(samba_session_rollback(session.get(), 3), SAMBA_ERROR_ARGUMENT);
  session.mark();
  samba_session_forget_marks(session.get());
  EXPECT_EQ(samba_session_rollback(session.get(), 0), SAMBA_ERROR_ARGUMENT);
  session.mark();
  session.reset();
  EXPECT_EQ(samba_session_rollback(session.get(), 0), SAMBA_ERROR_ARGUMENT);
}

TEST_F(State, NoRingsNoLimit) {
  artefact.manifest["state"]["fields"][2]["name"] = "layers.1.other";
  Model model = open();
  EXPECT_EQ(samba_max_rollback(model.get()), -1);
  Session session(model);
  feed(session, slice(0, 3));
  std::string before = bytes(session);
  session.mark();
  feed(session, slice(3, 60));
  session.rollback(57);
  EXPECT_EQ(bytes(session), before);
}

TEST_F(State, EvaluateLast) {
  for (int64_t chunk : {1, 3, 512}) {
    artefact.write(folder / "model.so");
    samba_options options = SAMBA_OPTIONS_INIT;
    options.chunk = chunk;
    Model model(folder / "model.so", options);
    Session a(model), b(model), c(model), d(model);
    std::vector<int32_t> others = someTokens(9, 3);
    std::vector<float> otherLogits = predictLogits(artefact, others);
    std::vector<float> rows((3 + 1 + 2) * vocabSize), wanted = expected(4, 7);
    wanted.insert(wanted.end(), otherLogits.end() - vocabSize, otherLogits.end());
    std::vector<float> two = expected(0, 2);
    wanted.insert(wanted.end(), two.begin(), two.end());
    model.evaluate({{a.get(), tokens.data(), 7},
                    {b.get(), others.data(), 9},
                    {c.get(), tokens.data(), 5},
                    {d.get(), tokens.data(), 2}},
                   {3, 1, 0, 2}, rows);
    EXPECT_EQ(rows, wanted) << chunk;
    EXPECT_EQ(c.position(), 5);
    size_t tooMany = 2;
    samba_segment one = {a.get(), tokens.data(), 1};
    EXPECT_EQ(samba_evaluate_last(model.get(), &one, 1, &tooMany, rows.data(), rows.size()), SAMBA_ERROR_ARGUMENT);
  }
}

} // namespace
