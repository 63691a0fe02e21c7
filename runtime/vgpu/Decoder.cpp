//===- Decoder.cpp - from PTX instructions to decoded ones: operands -----===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/vgpu/Decoder.h"

#include <algorithm>
#include <cstring>

using namespace samba::vgpu;
using ptx::Operand;
using ptx::Space;
using ptx::Type;

// Constants are appended while registers are still being allocated: until the kernel is complete, their offsets count
// from here.
static constexpr int32_t constantBase = 1 << 30;
static constexpr size_t mostInstructions = 1 << 21;
static constexpr int32_t mostRegisterBytes = 1 << 27;

void Modifiers::set(std::string_view opcode) {
  words.clear();
  size_t point = opcode.find('.');
  base = opcode.substr(0, point);
  while (point != std::string_view::npos) {
    size_t next = opcode.find('.', point + 1);
    words.push_back(opcode.substr(point + 1, next == std::string_view::npos ? next : next - point - 1));
    point = next;
  }
}

bool Modifiers::take(std::string_view word) {
  auto found = std::find(words.begin(), words.end(), word);
  if (found == words.end())
    return false;
  words.erase(found);
  return true;
}

std::string_view Modifiers::next() {
  if (words.empty())
    return {};
  std::string_view word = words.front();
  words.erase(words.begin());
  return word;
}

bool Modifiers::takeType(Type &type) {
  for (auto word = words.begin(); word != words.end(); ++word)
    if (ptx::parseType(*word, type)) {
      words.erase(word);
      return true;
    }
  return false;
}

void Decoder::fail(const std::string &message) const {
  ptx::failAt(current ? current->line : 0, message + " (in '" + kernel.name + "')");
}

void Decoder::unsupported(const std::string &why) const {
  fail("unsupported: " + std::string(current->opcode) + (why.empty() ? "" : ": " + why));
}

void Decoder::finish() const {
  if (!modifiers.empty())
    unsupported("modifier '" + std::string(modifiers.peek()) + "'");
}

void Decoder::requireArch(int needed, const char *what) const {
  if (arch < needed)
    fail(std::string(what) + " needs sm_" + std::to_string(needed) + ", the device is sm_" + std::to_string(arch));
}

Type Decoder::type() {
  Type type;
  if (!modifiers.takeType(type))
    unsupported("no type");
  return type;
}

const Operand &Decoder::operand(size_t index) const {
  if (index >= current->operands.size())
    fail(std::string(current->opcode) + " has " + std::to_string(current->operands.size()) +
         " operands, expected at least " + std::to_string(index + 1));
  return current->operands[index];
}

void Decoder::expectOperands(size_t least, size_t most) const {
  size_t count = current->operands.size();
  if (count < least || count > most)
    fail(std::string(current->opcode) + " has " + std::to_string(count) + " operands, expected " +
         std::to_string(least) + (least == most ? "" : " to " + std::to_string(most)));
}

int32_t Decoder::allocate(unsigned bits) {
  int32_t bytes = bits == 1 ? 4 : static_cast<int32_t>(bits / 8 * lanes);
  int32_t align = bits == 1 ? 4 : 64;
  int32_t at = (kernel.registerBytes + align - 1) / align * align;
  if (at + bytes > mostRegisterBytes)
    fail("more registers than the virtual device has");
  kernel.registerBytes = at + bytes;
  return at;
}

int32_t Decoder::temporary(unsigned bits) { return allocate(bits); }

int32_t Decoder::slot(uint64_t value, unsigned bits) {
  size_t bytes = bits == 1 ? 4 : bits / 8 * lanes, align = 64;
  size_t at = (kernel.constants.size() + align - 1) / align * align;
  kernel.constants.resize(at + bytes);
  if (bits == 1) {
    uint32_t mask = value ? allLanes : 0;
    std::memcpy(kernel.constants.data() + at, &mask, 4);
  } else {
    for (unsigned lane = 0; lane < lanes; ++lane)
      std::memcpy(kernel.constants.data() + at + lane * (bits / 8), &value, bits / 8);
  }
  return constantBase + static_cast<int32_t>(at);
}

int32_t Decoder::constant(uint64_t value, unsigned bits) {
  if (bits < 64 && bits > 1)
    value &= (uint64_t(1) << bits) - 1;
  auto [found, fresh] = constantSlots.try_emplace({value, bits}, 0);
  if (fresh)
    found->second = slot(value, bits);
  return found->second;
}

int32_t Decoder::special(SpecialRegister what, unsigned bits) {
  auto [found, fresh] = specialSlots.try_emplace({static_cast<int>(what), bits}, 0);
  if (fresh) {
    found->second = slot(0, bits);
    kernel.specials.push_back({what, found->second, static_cast<uint8_t>(bits / 8)});
  }
  return found->second;
}

uint32_t Decoder::more(const std::vector<int32_t> &offsets) {
  uint32_t at = static_cast<uint32_t>(kernel.operands.size());
  kernel.operands.insert(kernel.operands.end(), offsets.begin(), offsets.end());
  return at;
}

SpecialRegister Decoder::specialNamed(std::string_view name, unsigned &bits) const {
  using S = SpecialRegister;
  static const std::map<std::string_view, S> names = {
      {"%tid.x", S::TidX},
      {"%tid.y", S::TidY},
      {"%tid.z", S::TidZ},
      {"%ntid.x", S::NtidX},
      {"%ntid.y", S::NtidY},
      {"%ntid.z", S::NtidZ},
      {"%ctaid.x", S::CtaidX},
      {"%ctaid.y", S::CtaidY},
      {"%ctaid.z", S::CtaidZ},
      {"%nctaid.x", S::NctaidX},
      {"%nctaid.y", S::NctaidY},
      {"%nctaid.z", S::NctaidZ},
      {"%laneid", S::Laneid},
      {"%warpid", S::Warpid},
      {"%nwarpid", S::Nwarpid},
      {"%smid", S::Smid},
      {"%nsmid", S::Nsmid},
      {"%lanemask_eq", S::MaskEq},
      {"%lanemask_le", S::MaskLe},
      {"%lanemask_lt", S::MaskLt},
      {"%lanemask_ge", S::MaskGe},
      {"%lanemask_gt", S::MaskGt},
      {"%dynamic_smem_size", S::DynamicShared},
      {"%total_smem_size", S::TotalShared},
      // A cluster of one block.
      {"%cluster_ctaid.x", S::Zero},
      {"%cluster_ctaid.y", S::Zero},
      {"%cluster_ctaid.z", S::Zero},
      {"%cluster_ctarank", S::Zero},
      {"%cluster_nctarank", S::One},
      {"%cluster_nctaid.x", S::One},
      {"%cluster_nctaid.y", S::One},
      {"%cluster_nctaid.z", S::One},
      {"%clusterid.x", S::CtaidX},
      {"%clusterid.y", S::CtaidY},
      {"%clusterid.z", S::CtaidZ},
      {"%nclusterid.x", S::NctaidX},
      {"%nclusterid.y", S::NctaidY},
      {"%nclusterid.z", S::NctaidZ},
  };
  auto found = names.find(name);
  if (found == names.end())
    fail("unsupported: special register '" + std::string(name) + "'");
  bits = 32;
  return found->second;
}

std::vector<const Operand *> Decoder::elements(const Operand &operand) {
  std::vector<const Operand *> result;
  if (operand.kind == Operand::Vector)
    for (const Operand &child : operand.children)
      result.push_back(&child);
  else
    result.push_back(&operand);
  return result;
}

unsigned Decoder::registerBits(const Operand &operand) const {
  return operand.kind == Operand::Register ? frame->function->registers[operand.index].bits : 0;
}

bool Decoder::isPredicate(const Operand &operand) const { return registerBits(operand) == 1; }

int32_t Decoder::addressConstant(const Operand &operand, unsigned bits, Space &space) {
  uint64_t value = 0;
  switch (operand.kind) {
  case Operand::Variable: {
    const ptx::Variable &variable = frame->function->variables[operand.index];
    value = frame->variables[operand.index];
    // A parameter of a call lives in local memory, as calls are inlined.
    space = variable.space == Space::Parameter ? Space::Local : variable.space;
    break;
  }
  case Operand::Parameter:
    value = frame->parameters[operand.index];
    space = frame->caller ? Space::Local : Space::Parameter;
    break;
  case Operand::Return:
    value = frame->returns[operand.index];
    space = Space::Local;
    break;
  case Operand::Global: {
    const ptx::Variable &variable = program.source.variables[operand.index];
    space = variable.space;
    if (variable.space == Space::Shared && variable.external) {
      dynamicAlign = std::max(dynamicAlign, variable.align);
      auto [found, fresh] = dynamicSlots.try_emplace({operand.offset, bits}, 0);
      if (fresh)
        found->second = slot(0, bits);
      return found->second;
    }
    if (variable.space == Space::Shared) {
      value = sharedVariable(operand.index);
      break;
    }
    if (bits != 64)
      fail("the address of '" + std::string(operand.name) + "' needs 64 bits");
    auto [found, fresh] = relocated.try_emplace({{operand.index, operand.offset}, false}, 0);
    if (fresh) {
      found->second = slot(0, 64);
      kernel.relocations.push_back({found->second, operand.index, operand.offset, false});
    }
    return found->second;
  }
  default:
    fail("expected a variable, found '" + std::string(operand.name) + "'");
  }
  return constant(value + static_cast<uint64_t>(operand.offset), bits);
}

int32_t Decoder::source(const Operand &operand, Type type) {
  switch (operand.kind) {
  case Operand::Register: {
    if (operand.negated || operand.offset)
      fail("'" + std::string(operand.name) + "' cannot have a sign or an offset here");
    int32_t offset = frame->registers[operand.index];
    unsigned bits = registerBits(operand);
    if (bits == type.bits)
      return offset;
    if (bits < type.bits || bits == 1)
      fail("'" + std::string(operand.name) + "' has " + std::to_string(bits) + " bits, expected " +
           std::to_string(type.bits));
    Type from{Type::Unsigned, static_cast<uint8_t>(bits)}, to{Type::Unsigned, type.bits};
    int32_t narrowed = temporary(type.bits);
    Instruction &helper = emit(laneTable().convert(to, from, 0, false), Class::Move);
    helper.counted = false;
    helper.d = narrowed;
    helper.a = offset;
    return narrowed;
  }
  case Operand::Integer:
    // ptxas takes integers for 32-bit floats only in hexadecimal form; as bits they are what they are.
    if (type.kind == Type::Float || type.kind == Type::Bfloat)
      fail("an integer where a floating-point number is expected");
    return constant(operand.value, type.bits);
  case Operand::Single:
    if (type.bits != 32)
      fail("a constant of 32 bits where " + std::to_string(type.bits) + " are expected");
    return constant(operand.value, 32);
  case Operand::Double: {
    if (type.bits == 32 && type.kind == Type::Float) {
      double value;
      std::memcpy(&value, &operand.value, 8);
      float single = static_cast<float>(value);
      uint32_t bits;
      std::memcpy(&bits, &single, 4);
      return constant(bits, 32);
    }
    if (type.bits != 64)
      fail("a constant of 64 bits where " + std::to_string(type.bits) + " are expected");
    return constant(operand.value, 64);
  }
  case Operand::Special: {
    if (operand.negated)
      fail("'!' before '" + std::string(operand.name) + "'");
    if (operand.name == "%envreg0")
      return constant(0, type.bits);
    unsigned bits = 32;
    SpecialRegister what = specialNamed(operand.name, bits);
    return special(what, type.bits == 16 || type.bits == 64 ? type.bits : 32);
  }
  case Operand::Variable:
  case Operand::Global:
  case Operand::Parameter:
  case Operand::Return: {
    Space space;
    return addressConstant(operand, type.bits, space);
  }
  default:
    fail("an operand of " + std::string(current->opcode) + " is no register or constant");
  }
}

int32_t Decoder::destination(const Operand &operand, Type type) {
  if (operand.kind == Operand::Sink)
    return temporary(type.bits);
  if (operand.kind != Operand::Register)
    fail("the result of " + std::string(current->opcode) + " is no register");
  unsigned bits = registerBits(operand);
  int32_t offset = frame->registers[operand.index];
  if (bits == type.bits)
    return offset;
  if (bits < type.bits)
    fail("'" + std::string(operand.name) + "' has " + std::to_string(bits) + " bits, expected " +
         std::to_string(type.bits));
  int32_t narrow = temporary(type.bits);
  extensions.push_back({narrow, offset, type, bits});
  return narrow;
}

int32_t Decoder::predicateSource(const Operand &operand, bool &negated) {
  negated = operand.negated;
  if (operand.kind == Operand::Integer)
    return constant(operand.value != 0, 1);
  if (!isPredicate(operand))
    fail("expected a predicate, found '" + std::string(operand.name) + "'");
  return frame->registers[operand.index];
}

int32_t Decoder::predicateDestination(const Operand &operand) {
  if (operand.kind == Operand::Sink)
    return temporary(1);
  if (!isPredicate(operand) || operand.negated)
    fail("the result of " + std::string(current->opcode) + " is no predicate");
  return frame->registers[operand.index];
}

Address Decoder::address(const Operand &operand) {
  if (operand.kind != Operand::Address || operand.children.empty())
    fail("an operand of " + std::string(current->opcode) + " is no address");
  const Operand &base = operand.children[0];
  Address result;
  result.offset = operand.offset;
  switch (base.kind) {
  case Operand::Register:
    result.base = frame->registers[base.index];
    result.wide = registerBits(base) == 64;
    if (!result.wide && registerBits(base) != 32)
      fail("address '" + std::string(base.name) + "' has " + std::to_string(registerBits(base)) + " bits");
    break;
  case Operand::Integer:
    result.base = constant(0, 64);
    break;
  default:
    result.base = addressConstant(base, 64, result.space);
    result.variable = true;
  }
  return result;
}

int64_t Decoder::immediate(const Operand &operand, int64_t least, int64_t most) const {
  int64_t value = static_cast<int64_t>(operand.value);
  if (operand.kind != Operand::Integer || value < least || value > most)
    fail("expected a constant from " + std::to_string(least) + " to " + std::to_string(most));
  return value;
}

Instruction &Decoder::emit(Handler run, Class kind) {
  if (kernel.code.size() >= mostInstructions)
    fail("more than " + std::to_string(mostInstructions) + " instructions");
  Instruction i;
  i.run = run;
  i.kind = static_cast<uint8_t>(kind);
  i.line = current->line;
  i.file = current->file;
  i.sourceLine = current->sourceLine;
  if (current->guard >= 0) {
    i.guard = frame->registers[current->guard];
    i.guardNegated = current->guardNegated;
  }
  kernel.code.push_back(i);
  return kernel.code.back();
}

uint32_t Decoder::placeLocal(std::string_view name, uint32_t align, uint64_t bytes) {
  if (localEnd + bytes > 512 * 1024)
    fail("more than 512 KiB of local memory");
  uint32_t at = (localEnd + 2 * align - 1) / (2 * align) * (2 * align) + align;
  kernel.localPlaces.push_back({std::string(name), at, static_cast<uint32_t>(bytes)});
  localEnd = at + static_cast<uint32_t>(bytes) + 16;
  localPacked = (localPacked + align - 1) / align * align + static_cast<uint32_t>(bytes);
  return at;
}

uint32_t Decoder::placeShared(std::string_view name, uint32_t align, uint64_t bytes) {
  if (sharedEnd + bytes > 4 * 1024 * 1024)
    fail("more than 4 MiB of shared memory");
  // The gap is larger than any access; that to the next variable has no meaning in the program.
  uint32_t at = (sharedEnd + 2 * align - 1) / (2 * align) * (2 * align) + align;
  kernel.sharedPlaces.push_back({std::string(name), at, static_cast<uint32_t>(bytes)});
  sharedEnd = at + static_cast<uint32_t>(bytes) + 16;
  sharedPacked = (sharedPacked + align - 1) / align * align + static_cast<uint32_t>(bytes);
  return at;
}

uint32_t Decoder::sharedVariable(uint32_t index) {
  auto found = sharedVariables.find(index);
  if (found != sharedVariables.end())
    return found->second;
  const ptx::Variable &variable = program.source.variables[index];
  uint32_t at = placeShared(variable.name, variable.align, variable.bytes);
  sharedVariables[index] = at;
  return at;
}

void Decoder::placeVariables(Frame &target) {
  for (const ptx::Variable &variable : target.function->variables) {
    if (variable.space == Space::Shared)
      target.variables.push_back(placeShared(variable.name, variable.align, variable.bytes));
    else if (variable.space == Space::Local || variable.space == Space::Parameter)
      target.variables.push_back(placeLocal(variable.name, variable.align, variable.bytes));
    else
      ptx::failAt(variable.line, "unsupported: .global and .const variables in a function");
  }
}

static bool isProduct(const ptx::Instruction &instruction) {
  return instruction.opcode.substr(0, 16) == "wgmma.mma_async.";
}

/// The registers that wgmma takes among the results of the current instruction.
std::vector<int32_t> Decoder::writtenProducts() const {
  std::vector<int32_t> written;
  if (frame->products.empty() || current->operands.empty() || isProduct(*current))
    return written;
  for (const Operand *result : elements(current->operands[0]))
    if (result->kind == Operand::Register && frame->products.count(result->index))
      written.push_back(frame->registers[result->index]);
  return written;
}

void Decoder::decodeOne() {
  modifiers.set(current->opcode);
  DecodeFunction decode = findOpcode(modifiers.name());
  if (!decode)
    unsupported();
  decode(*this);
  finish();
  for (const Extension &extension : extensions) {
    Type to = extension.fromType;
    bool isSigned = to.kind == Type::Signed;
    Type from{isSigned ? Type::Signed : Type::Unsigned, to.bits};
    to = {from.kind, static_cast<uint8_t>(extension.toBits)};
    Instruction &helper = emit(laneTable().convert(to, from, 0, false), Class::Move);
    helper.counted = false;
    helper.d = extension.to;
    helper.a = extension.from;
  }
  extensions.clear();
  if (std::vector<int32_t> written = writtenProducts(); !written.empty())
    decodeProductWrite(*this, written);
}

void Decoder::decodeBody(Frame &target) {
  Frame *outer = frame;
  const ptx::Instruction *outerInstruction = current;
  frame = &target;
  for (const ptx::Instruction &instruction : target.function->instructions)
    if (isProduct(instruction))
      for (const Operand &operand : instruction.operands)
        if (operand.kind == Operand::Vector) // the sums, and the first operand if it is no descriptor
          for (const Operand *element : elements(operand))
            target.products.insert(element->index);
  for (const ptx::Instruction &instruction : target.function->instructions) {
    target.starts.push_back(static_cast<uint32_t>(kernel.code.size()));
    current = &instruction;
    decodeOne();
  }
  uint32_t end = static_cast<uint32_t>(kernel.code.size());
  target.starts.push_back(end);
  for (auto &[index, label] : target.branches)
    kernel.code[index].target = target.starts[label];
  for (size_t index : target.ends)
    kernel.code[index].target = end;
  frame = outer;
  current = outerInstruction;
}

void Decoder::run(const ptx::Function &entry) {
  kernel.name = entry.name;
  kernel.program = &program;
  kernel.maxThreads = entry.maxThreads;
  kernel.arch = arch;
  Frame top;
  top.function = &entry;
  for (const ptx::Variable &parameter : entry.parameters) {
    uint32_t at = (kernel.parameterBytes + parameter.align - 1) / parameter.align * parameter.align;
    uint64_t bytes = parameter.bytes;
    if (at + bytes > 32764)
      ptx::failAt(parameter.line, "more than 32764 bytes of parameters");
    kernel.parameters.push_back({at, static_cast<uint32_t>(bytes)});
    kernel.parameterBytes = at + static_cast<uint32_t>(bytes);
    top.parameters.push_back(at);
  }
  for (Type type : entry.registers)
    top.registers.push_back(allocate(type.bits));
  frame = &top;
  placeVariables(top);
  decodeBody(top);
  ptx::Instruction last;
  last.line = entry.line;
  current = &last;
  frame = &top;
  emit(nullptr, Class::Control).control = Control::Exit;
  kernel.code.back().counted = false;

  kernel.sharedBytes = sharedPacked;
  kernel.plainLocalBytes = localPacked;
  kernel.localBytes = localEnd;
  // External shared arrays all begin where the others end.
  uint32_t align = std::max(dynamicAlign, 1u);
  kernel.dynamic = !dynamicSlots.empty();
  kernel.dynamicOffset = (sharedEnd + 2 * align - 1) / (2 * align) * (2 * align) + align;
  for (auto &[key, offset] : dynamicSlots) {
    uint64_t value = kernel.dynamicOffset + static_cast<uint64_t>(key.first);
    for (unsigned lane = 0; lane < lanes; ++lane)
      std::memcpy(kernel.constants.data() + (offset - constantBase) + lane * (key.second / 8), &value, key.second / 8);
  }

  // Constants follow the registers.
  kernel.registerBytes = (kernel.registerBytes + 63) / 64 * 64;
  auto move = [&](int32_t &offset) {
    if (offset >= constantBase)
      offset += kernel.registerBytes - constantBase;
  };
  for (Instruction &i : kernel.code) {
    for (int32_t *offset : {&i.guard, &i.d, &i.a, &i.b, &i.c, &i.e})
      move(*offset);
  }
  for (int32_t &offset : kernel.operands)
    move(offset);
  for (Kernel::Special &special : kernel.specials)
    move(special.offset);
  for (Kernel::Relocation &relocation : kernel.relocations)
    move(relocation.offset);
  findReconvergence(kernel);
}

std::unique_ptr<Kernel> samba::vgpu::decodeKernel(const Program &program, const ptx::Function &function, int arch) {
  auto kernel = std::make_unique<Kernel>();
  Decoder(*kernel, program, arch).run(function);
  return kernel;
}
