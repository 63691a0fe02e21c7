//===- Session.cpp - one sequence ----------------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Session.h"
#include "runtime/Error.h"
#include "runtime/Model.h"

#include <cstring>

using namespace samba::runtime;

Session::Session(std::shared_ptr<Model> owner) : model(std::move(owner)), memory(model->manifest().stateBytes) {}

std::shared_ptr<const StateImage> Session::freeze(Session &session) {
  uint64_t bytes = session.model->manifest().stateBytes;
  if (session.image && session.exposed) {
    StateMemory frozen(*session.image, bytes);
    if (std::memcmp(frozen.data(), session.memory.data(), bytes) != 0)
      session.image.reset();
  }
  if (!session.image)
    session.image = std::make_shared<StateImage>(session.memory.data(), bytes);
  return session.image;
}

Session::Session(Fork fork)
    : model(fork.parent.model), image(freeze(fork.parent)), memory(*image, model->manifest().stateBytes),
      tokens(fork.parent.tokens), number(fork.parent.number) {}

char *Session::exposeState() {
  exposed = true;
  return memory.data();
}

void Session::reset() {
  changed();
  forgetMarks();
  std::memset(memory.data(), 0, model->manifest().stateBytes);
  tokens = 0;
  number = 0;
}

void Session::assign(const Session &from) {
  if (this == &from)
    return;
  restore(from.memory.data(), from.tokens);
  number = from.number;
}

void Session::restore(const void *bytes, int64_t position) {
  changed();
  forgetMarks();
  if (model->manifest().stateBytes > 0)
    std::memcpy(memory.data(), bytes, model->manifest().stateBytes);
  tokens = position;
}

void Session::mark() {
  Mark fresh = {tokens, model->stateLayout().saveRest(memory.data())};
  if (!marks.empty() && marks.back().position == tokens)
    marks.back() = std::move(fresh);
  else
    marks.push_back(std::move(fresh));
}

void Session::rollback(int64_t back) {
  auto found = marks.end();
  for (auto mark = marks.begin(); mark != marks.end(); ++mark)
    if (mark->position == tokens - back)
      found = mark;
  if (found == marks.end())
    throw Error(SAMBA_ERROR_ARGUMENT, "no mark " + std::to_string(back) + " tokens before position " +
                                          std::to_string(tokens) +
                                          ": it was not set, or more than samba_max_rollback tokens ago");
  changed();
  const StateLayout &layout = model->stateLayout();
  for (; !undos.empty() && undos.back().position >= found->position; undos.pop_back())
    layout.restoreSlots(memory.data(), undos.back().position, undos.back().count, undos.back().slots);
  layout.restoreRest(memory.data(), found->rest);
  tokens = found->position;
  marks.erase(found + 1, marks.end());
}

void Session::forgetMarks() {
  marks.clear();
  undos.clear();
}

void Session::prepare(int64_t count) {
  if (!marks.empty()) {
    auto limit = model->stateLayout().longestRing();
    while (limit && !marks.empty() && count > *limit - (tokens - marks.front().position))
      marks.pop_front();
    while (!undos.empty() && (marks.empty() || undos.front().position < marks.front().position))
      undos.pop_front();
    if (limit && !marks.empty())
      undos.push_back({tokens, count, model->stateLayout().saveSlots(memory.data(), tokens, count)});
  }
  changed();
}
