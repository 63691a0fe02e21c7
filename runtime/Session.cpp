//===- Session.cpp - one sequence ----------------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Session.h"
#include "runtime/Error.h"
#include "runtime/Model.h"

using namespace samba::runtime;

Session::Session(std::shared_ptr<Model> owner) : model(std::move(owner)), memory(model->createState()) {}

Session::Session(Fork fork)
    : model(fork.parent.model), memory(fork.parent.memory->fork()), tokens(fork.parent.tokens),
      number(fork.parent.number), attached(fork.parent.attached) {}

void Session::reset() {
  forgetMarks();
  memory->assign(nullptr);
  tokens = 0;
  number = 0;
  attached.clear();
}

void Session::assign(const Session &from) {
  if (this == &from)
    return;
  std::string bytes = from.attached; // before anything changes: there may be no memory for it
  forgetMarks();
  memory->assign(*from.memory);
  tokens = from.tokens;
  number = from.number;
  attached = std::move(bytes);
}

void Session::restore(const void *bytes, int64_t position) {
  forgetMarks();
  if (model->manifest().stateBytes > 0)
    memory->assign(bytes);
  tokens = position;
}

void Session::mark() {
  Mark fresh = {tokens, memory->save(model->stateLayout().rest())};
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
  const StateLayout &layout = model->stateLayout();
  for (; !undos.empty() && undos.back().position >= found->position; undos.pop_back())
    memory->restore(layout.slots(undos.back().position, undos.back().count), *undos.back().slots);
  memory->restore(layout.rest(), *found->rest);
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
      undos.push_back({tokens, count, memory->save(model->stateLayout().slots(tokens, count))});
  }
  memory->prepareStep();
}
