//===- StateBlob.cpp - a session as bytes --------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/StateBlob.h"
#include "runtime/Error.h"
#include "runtime/JsonValue.h"
#include "runtime/Model.h"
#include "runtime/StateMemory.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>

#define XXH_INLINE_ALL
#include <xxhash.h>

using namespace samba::runtime;

namespace {

constexpr char magic[8] = {'S', 'A', 'M', 'B', 'A', 'S', 'T', 'A'};

struct Header {
  char magic[8];
  uint32_t version;
  uint32_t tableBytes; // a multiple of 64, so that the state is as aligned as the blob
  uint64_t fingerprint;
  int64_t position;
  int64_t note;
  uint64_t stateBytes;
  uint64_t blobBytes;
  uint64_t checksum; // XXH3-64 of the header before this field, the table, the state and the attachment
};
static_assert(sizeof(Header) == 64 && offsetof(Header, checksum) == 56, "the header has a fixed layout");

std::string tableOf(const Model &model) {
  std::string table = model.manifest().stateTable;
  table.append((64 - table.size() % 64) % 64, ' ');
  return table;
}

class Digest {
public:
  Digest() : state(XXH3_createState()) {
    if (!state)
      throw std::bad_alloc();
    XXH3_64bits_reset(state.get());
  }
  void add(const void *data, uint64_t bytes) { XXH3_64bits_update(state.get(), data, bytes); }
  uint64_t value() const { return XXH3_64bits_digest(state.get()); }

private:
  struct Free {
    void operator()(XXH3_state_t *state) const { XXH3_freeState(state); }
  };
  std::unique_ptr<XXH3_state_t, Free> state;
};

/// Names a field that has another type in the table of a blob than in the model, if that is all that differs.
std::string otherType(const std::string &name, const std::string &blobTable, const Model &model) {
  using nlohmann::json;
  json table = parseJson<json>(blobTable, name + ": the field table"), own = json::parse(model.manifest().stateTable);
  if (!table.is_object() || table.value("model", json()) != own["model"])
    return "";
  json fields = table.value("fields", json()), ownFields = own["fields"];
  if (!fields.is_array() || fields.size() != ownFields.size())
    return "";
  std::string difference;
  for (size_t i = 0; i < fields.size(); ++i) {
    const json &field = fields[i], &expected = ownFields[i];
    if (!field.is_object() || field.value("name", json()) != expected["name"] ||
        field.value("shape", json()) != expected["shape"] || !field.value("dtype", json()).is_string())
      return "";
    if (difference.empty() && field["dtype"] != expected["dtype"])
      difference = ": its '" + expected["name"].get<std::string>() + "' is of " + field["dtype"].get<std::string>() +
                   ", expected " + expected["dtype"].get<std::string>() + " (--kv of samba-compile)";
  }
  return difference;
}

[[noreturn]] void damaged(const std::string &name, const std::string &what) {
  throw Error(SAMBA_ERROR_FORMAT, name + " is damaged: " + what);
}

} // namespace

uint64_t StateBlob::size(const Model &model) {
  return sizeof(Header) + tableOf(model).size() + model.manifest().stateBytes;
}

void StateBlob::write(const Session &session, const Sink &sink) {
  const Model &model = session.owner();
  std::string table = tableOf(model);
  Header header = {};
  std::memcpy(header.magic, magic, sizeof(magic));
  header.version = version;
  header.tableBytes = static_cast<uint32_t>(table.size());
  header.fingerprint = model.fingerprint();
  header.position = session.position();
  header.note = session.note();
  header.stateBytes = model.manifest().stateBytes;
  header.blobBytes = size(model) + session.attachment().size();
  Digest digest;
  digest.add(&header, offsetof(Header, checksum));
  digest.add(table.data(), table.size());
  digest.add(session.state(), header.stateBytes);
  digest.add(session.attachment().data(), session.attachment().size());
  header.checksum = digest.value();
  sink(&header, sizeof(header));
  sink(table.data(), table.size());
  sink(session.state(), header.stateBytes);
  sink(session.attachment().data(), session.attachment().size());
}

void StateBlob::read(Session &session, const std::string &name, uint64_t available, const Source &source) {
  const Model &model = session.owner();
  Header header;
  if (available < sizeof(header))
    throw Error(SAMBA_ERROR_FORMAT,
                name + " is not a saved state: it has only " + std::to_string(available) + " bytes");
  source(&header, sizeof(header));
  if (std::memcmp(header.magic, magic, sizeof(magic)) != 0)
    throw Error(SAMBA_ERROR_FORMAT, name + " is not a saved state");
  if (header.version < oldest || header.version > version)
    throw Error(SAMBA_ERROR_ABI, name + " has state version " + std::to_string(header.version) +
                                     ", this runtime loads versions " + std::to_string(oldest) + " to " +
                                     std::to_string(version));
  if (header.blobBytes != available)
    damaged(name, "it has " + std::to_string(available) + " bytes, expected " + std::to_string(header.blobBytes));

  std::string table = tableOf(model);
  uint64_t attached = header.blobBytes - size(model); // wraps around if it is of another model
  bool own = header.fingerprint == model.fingerprint() && header.stateBytes == model.manifest().stateBytes &&
             header.tableBytes == table.size() && attached <= (header.version == 1 ? 0 : SAMBA_MAX_ATTACHMENT);
  std::string attachment, otherTable;
  Digest digest;
  digest.add(&header, offsetof(Header, checksum));
  uint64_t left = available - sizeof(header);
  bool sameTable = false;
  if (own) {
    std::string found(table.size(), '\0');
    source(found.data(), found.size());
    digest.add(found.data(), found.size());
    sameTable = found == table;
    std::vector<char> piece(std::min<uint64_t>(header.stateBytes, 1 << 16));
    char *state = session.overwriteState();
    for (uint64_t at = 0, bytes = 0; at < header.stateBytes; at += bytes) {
      bytes = std::min<uint64_t>(header.stateBytes - at, piece.size());
      source(piece.data(), bytes);
      copyChangedPages(state + at, piece.data(), bytes);
    }
    digest.add(session.state(), header.stateBytes);
    attachment.resize(attached);
    source(attachment.data(), attached);
    digest.add(attachment.data(), attached);
  } else { // whether it is damaged or of another model, the checksum knows
    std::vector<char> piece(std::min<uint64_t>(left, 1 << 20));
    for (uint64_t bytes = 0; left > 0; left -= bytes) {
      bytes = std::min<uint64_t>(left, piece.size());
      source(piece.data(), bytes);
      digest.add(piece.data(), bytes);
      if (left == available - sizeof(header)) // the table is at the beginning
        otherTable.assign(piece.data(), std::min<uint64_t>(bytes, header.tableBytes));
    }
  }
  if (digest.value() != header.checksum)
    damaged(name, "wrong checksum");
  if (!own)
    throw Error(SAMBA_ERROR_MISMATCH, name + " is the state of another model than '" + model.manifest().name + "'" +
                                          otherType(name, otherTable, model));
  if (!sameTable || header.position < 0)
    damaged(name, "the field table or the position is not one of model '" + model.manifest().name + "'");
  model.checkContext(header.position, 0);
  session.adopt(header.position, header.note, std::move(attachment));
}
