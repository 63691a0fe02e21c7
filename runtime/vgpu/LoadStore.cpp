//===- LoadStore.cpp - decodes and runs loads and stores -----------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/vgpu/Access.h"

#include <cstring>

using namespace samba::vgpu;
using ptx::Operand;
using ptx::Space;
using ptx::Type;

namespace {

/// Counts a request by the space of its first lane.
void count(Warp &w, const Instruction &i, const uint64_t (&addresses)[lanes], Space space, uint32_t bytes, bool store) {
  if (!w.block->context.counting)
    return;
  if (space == Space::Global || space == Space::Constant)
    countGlobal(*w.block, addresses, w.active, bytes, store);
  else if (space == Space::Shared)
    countShared(*w.block, addresses, w.active, bytes, store);
}

/// Where address 0 would be on the host, if one allocation has all that the active lanes access, aligned and untracked:
/// then no lane needs a check of its own. Null otherwise.
uint8_t *commonBase(Warp &w, const uint64_t (&addresses)[lanes], uint32_t bytes, bool writes) {
  Allocation *recent = w.block->recent;
  if (!recent || w.block->context.globalRaces || !recent->written.empty() || (writes && recent->readOnly))
    return nullptr;
  uint64_t first = addresses[__builtin_ctz(w.active)], least = first, most = first, all = 0;
  for (unsigned lane = 0; lane < lanes; ++lane) {
    uint64_t address = w.active >> lane & 1 ? addresses[lane] : first;
    least = address < least ? address : least;
    most = address > most ? address : most;
    all |= address;
  }
  if (all & (bytes - 1) || !recent->contains(least, most - least + bytes))
    return nullptr;
  return recent->data - recent->address;
}

template <typename T, unsigned count>
void gather(Warp &w, const uint8_t *base, const uint64_t (&from)[lanes], const int32_t *to) {
  for (uint32_t rest = w.active; rest; rest &= rest - 1) {
    unsigned lane = static_cast<unsigned>(__builtin_ctz(rest));
    T values[count];
    std::memcpy(values, base + from[lane], sizeof(values));
    for (unsigned k = 0; k < count; ++k)
      w.at<T>(to[k])[lane] = values[k];
  }
}

template <typename T, unsigned count>
void scatter(Warp &w, uint8_t *base, const uint64_t (&to)[lanes], const int32_t *from) {
  for (uint32_t rest = w.active; rest; rest &= rest - 1) {
    unsigned lane = static_cast<unsigned>(__builtin_ctz(rest));
    T values[count];
    for (unsigned k = 0; k < count; ++k)
      values[k] = w.at<T>(from[k])[lane];
    std::memcpy(base + to[lane], values, sizeof(values));
  }
}

bool contiguous(const uint64_t (&addresses)[lanes], uint32_t bytes) {
  uint64_t wrong = 0;
  for (unsigned lane = 0; lane < lanes; ++lane)
    wrong |= addresses[lane] ^ (addresses[0] + uint64_t(lane) * bytes);
  return !wrong;
}

template <typename T> void load(Warp &w, const Instruction &i) {
  uint64_t addresses[lanes];
  addressesOf(w, i, addresses);
  Block &block = *w.block;
  uint32_t bytes = uint32_t(sizeof(T)) * i.count;
  Space space = spaceOf(i);
  if (space == Space::Generic) {
    uint64_t first = addresses[__builtin_ctz(w.active)];
    count(w, i, addresses, resolve(Space::Generic, first), bytes, false);
  } else {
    count(w, i, addresses, space, bytes, false);
  }
  const int32_t *more = i.count > 1 ? block.kernel.operands.data() + i.more : &i.d;
  if (space == Space::Global || space == Space::Generic) {
    if (const uint8_t *base = commonBase(w, addresses, bytes, false)) {
      if (i.count == 1 && w.active == allLanes && contiguous(addresses, sizeof(T)))
        std::memcpy(w.file + i.d, base + addresses[0], sizeof(T) * lanes);
      else if (i.count == 1)
        gather<T, 1>(w, base, addresses, more);
      else if (i.count == 2)
        gather<T, 2>(w, base, addresses, more);
      else if (i.count == 4)
        gather<T, 4>(w, base, addresses, more);
      else
        gather<T, 8>(w, base, addresses, more);
      return;
    }
  }
  for (uint32_t rest = w.active; rest; rest &= rest - 1) {
    unsigned lane = static_cast<unsigned>(__builtin_ctz(rest));
    const uint8_t *from = pointer(w, i, lane, space, addresses[lane], bytes, Use::Read);
    for (unsigned k = 0; k < i.count; ++k)
      std::memcpy(w.file + more[k] + lane * sizeof(T), from + k * sizeof(T), sizeof(T));
  }
}

template <typename T> void store(Warp &w, const Instruction &i) {
  uint64_t addresses[lanes];
  addressesOf(w, i, addresses);
  Block &block = *w.block;
  uint32_t bytes = uint32_t(sizeof(T)) * i.count;
  Space space = spaceOf(i), counted = space;
  if (space == Space::Generic) {
    uint64_t first = addresses[__builtin_ctz(w.active)];
    counted = resolve(Space::Generic, first);
  }
  const int32_t *more = block.kernel.operands.data() + i.more;
  uint8_t *base = counted == Space::Global ? commonBase(w, addresses, bytes, true) : nullptr;
  if (base && i.count == 1) {
    scatter<T, 1>(w, base, addresses, more);
  } else if (base && i.count == 2) {
    scatter<T, 2>(w, base, addresses, more);
  } else if (base && i.count == 4) {
    scatter<T, 4>(w, base, addresses, more);
  } else
    for (uint32_t rest = w.active; rest; rest &= rest - 1) {
      unsigned lane = static_cast<unsigned>(__builtin_ctz(rest));
      uint8_t value[32];
      for (unsigned k = 0; k < i.count; ++k)
        std::memcpy(value + k * sizeof(T), w.file + more[k] + lane * sizeof(T), sizeof(T));
      std::memcpy(pointer(w, i, lane, space, addresses[lane], bytes, Use::Write, {value}), value, bytes);
    }
  count(w, i, addresses, counted, bytes, true);
}

Handler sized(unsigned bits, bool isStore) {
  switch (bits) {
  case 8:
    return isStore ? store<uint8_t> : load<uint8_t>;
  case 16:
    return isStore ? store<uint16_t> : load<uint16_t>;
  case 32:
    return isStore ? store<uint32_t> : load<uint32_t>;
  case 64:
    return isStore ? store<uint64_t> : load<uint64_t>;
  default:
    return nullptr;
  }
}

Class classOf(Space space) {
  switch (space) {
  case Space::Shared:
    return Class::Shared;
  case Space::Local:
    return Class::Local;
  case Space::Constant:
  case Space::Parameter:
    return Class::Constant;
  default:
    return Class::Global;
  }
}

/// True if the access is to be seen by other blocks in an order: their blocks run one after the other then.
bool takeOrdering(Decoder &d) {
  bool ordered = false;
  for (const char *word : {"volatile", "relaxed", "acquire", "release", "mmio"})
    ordered |= d.modifiers.take(word);
  d.modifiers.take("weak");
  for (const char *word : {"cta", "cluster", "gpu", "sys"})
    d.modifiers.take(word);
  return ordered;
}

void access(Decoder &d, bool isStore) {
  bool ordered = takeOrdering(d);
  Space space = takeSpace(d);
  bool policy = false;
  takeCacheHints(d, policy);
  size_t count = 1;
  for (auto [word, lanesOfVector] : {std::pair("v2", 2), std::pair("v4", 4), std::pair("v8", 8)})
    if (d.modifiers.take(word))
      count = static_cast<size_t>(lanesOfVector);
  Type type = d.type();
  if (type.kind == Type::Predicate || count * type.bits > 256)
    d.unsupported();
  if (count * type.bits > 128)
    d.requireArch(100, "an access of 32 bytes");
  d.expectOperands(2, policy ? 3 : 2);
  const Operand &memory = d.operand(isStore ? 0 : 1), &value = d.operand(isStore ? 1 : 0);
  std::vector<const Operand *> elements = Decoder::elements(value);
  if (elements.size() != count)
    d.fail("a vector of " + std::to_string(elements.size()) + " elements, expected " + std::to_string(count));
  if (ordered && space != Space::Shared && space != Space::Local)
    d.kernel.ordered = true;
  Place place = placeOf(d, memory, space);
  std::vector<int32_t> offsets;
  for (const Operand *element : elements)
    offsets.push_back(isStore ? d.source(*element, type) : d.destination(*element, type));
  Handler handler = sized(type.bits, isStore);
  if (!handler)
    d.unsupported();
  uint32_t more = d.more(offsets);
  Instruction &i = d.emit(handler, classOf(static_cast<Space>(place.mode & 7)));
  i.a = place.address.base;
  i.immediate = place.address.offset;
  i.mode = place.mode;
  i.d = isStore ? -1 : offsets[0];
  i.more = more;
  i.count = static_cast<uint16_t>(count);
  i.size = type.bits / 8;
}

void nothing(Warp &, const Instruction &) {}

// Hints without an effect that could be seen. Their addresses may be anything.
void hint(Decoder &d) {
  while (!d.modifiers.next().empty()) {
  }
  d.emit(nothing, Class::Global);
}

// An L2 policy is a value that only hints take.
void policy(Decoder &d) {
  while (!d.modifiers.next().empty()) {
  }
  int32_t to = d.destination(d.operand(0), b64), zero = d.constant(0, 64);
  Instruction &i = d.emit(laneTable().integer(Op::Move, b64, 0), Class::Move);
  i.d = to;
  i.a = zero;
}

} // namespace

const Opcode samba::vgpu::memoryOpcodes[] = {
    {"ld", [](Decoder &d) { access(d, false); }},
    {"ldu", [](Decoder &d) { access(d, false); }},
    {"st", [](Decoder &d) { access(d, true); }},
    {"prefetch", hint},
    {"prefetchu", hint},
    {"applypriority", hint},
    {"createpolicy", policy},
    {nullptr, nullptr},
};
