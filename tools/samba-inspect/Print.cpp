//===- Print.cpp - a report as text ---------------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontend/Error.h"
#include "tools/samba-inspect/Inspect.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"

using namespace llvm;
using namespace samba;

namespace {

/// Rows of cells, printed in columns; `alignment` has an 'l' or 'r' for each.
class Table {
public:
  explicit Table(StringRef alignment) : alignment(alignment) {}
  void add(std::vector<std::string> row) { rows.push_back(std::move(row)); }
  void print(raw_ostream &os) const {
    std::vector<size_t> widths;
    for (const auto &row : rows)
      for (auto [column, cell] : enumerate(row)) {
        widths.resize(std::max<size_t>(widths.size(), column + 1));
        widths[column] = std::max(widths[column], cell.size());
      }
    for (const auto &row : rows) {
      std::string line;
      for (auto [column, cell] : enumerate(row)) {
        bool toRight = alignment[column] == 'r';
        line += "  " + std::string(toRight ? widths[column] - cell.size() : 0, ' ') + cell +
                std::string(toRight ? 0 : widths[column] - cell.size(), ' ');
      }
      os << StringRef(line).rtrim() << "\n";
    }
  }

private:
  StringRef alignment;
  std::vector<std::vector<std::string>> rows;
};

std::string bytesText(double bytes) {
  const char *units[] = {"B", "kB", "MB", "GB", "TB"};
  int unit = 0;
  for (; bytes >= 1000 && unit < 4; ++unit)
    bytes /= 1000;
  return formatv(unit == 0 ? "{0:f0} {1}" : "{0:f2} {1}", bytes, units[unit]).str();
}

int64_t integer(const json::Object &object, StringRef key) { return object.getInteger(key).value_or(0); }
StringRef text(const json::Object &object, StringRef key) { return object.getString(key).value_or(""); }

/// "0-3, 5, 7".
std::string ranges(ArrayRef<size_t> numbers) {
  std::string result;
  for (size_t i = 0; i < numbers.size();) {
    size_t end = i + 1;
    while (end < numbers.size() && numbers[end] == numbers[end - 1] + 1)
      ++end;
    result += (result.empty() ? "" : ", ") + std::to_string(numbers[i]);
    if (end > i + 1)
      result += (end > i + 2 ? "-" : ", ") + std::to_string(numbers[end - 1]);
    i = end;
  }
  return result;
}

std::string sizesOf(const json::Object &block) {
  StringRef kind = text(block, "kind");
  if (kind == "mamba")
    return formatv("inner {0}, state {1}, conv {2}, dt rank {3}{4}", integer(block, "inner_size"),
                   integer(block, "state_size"), integer(block, "conv_kernel"), integer(block, "dt_rank"),
                   block.getBoolean("memory").value_or(false) ? ", its scan kept as memory" : "");
  if (kind == "gated_memory")
    return formatv("inner {0}", integer(block, "inner_size"));
  if (kind == "mlp")
    return formatv("width {0}", integer(block, "width"));
  bool cross = kind == "cross_attention";
  if (kind != "attention" && !cross)
    return "";
  std::string sizes =
      formatv("{0} heads of {1}, {2} of keys and values{3}, ", integer(block, "num_heads"), integer(block, "head_dim"),
              integer(block, "num_kv_heads"), cross ? " of a layer before" : "");
  if (block.getBoolean("differential").value_or(false))
    sizes += "differences of pairs, ";
  sizes += block.getInteger("window") ? formatv("window {0}, ", integer(block, "window")).str() : "full attention, ";
  if (std::optional<double> theta = block.getNumber("rope_theta"))
    return sizes + formatv("rotary {0}", json::Value(*theta)).str();
  return sizes + "no rotary embedding";
}

void printLayers(const json::Object &report, raw_ostream &os) {
  // Blocks of the same kind and sizes are one line.
  std::vector<std::pair<std::string, std::vector<size_t>>> kinds;
  std::vector<const json::Object *> blocks;
  for (auto [number, layer] : enumerate(*report.getArray("layers")))
    for (const json::Value &entry : *layer.getAsArray()) {
      const json::Object &block = *entry.getAsObject();
      std::string key = formatv("{0}", json::Value(json::Object(block)));
      auto kind = find_if(kinds, [&](auto &kind) { return kind.first == key; });
      if (kind == kinds.end()) {
        kind = kinds.insert(kind, {key, {}});
        blocks.push_back(&block);
      }
      kind->second.push_back(number);
    }
  Table table("llrl");
  table.add({"block", "layers", "parameters", "sizes"});
  for (auto [kind, block] : zip(kinds, blocks))
    table.add({text(*block, "kind").str(), ranges(kind.second), std::to_string(integer(*block, "parameters")),
               sizesOf(*block)});
  table.print(os);
}

void printCheckpoint(const json::Object &report, raw_ostream &os) {
  const json::Object &parameters = *report.getObject("parameters");
  os << text(report, "path") << ": " << text(report, "family") << ", " << integer(parameters, "total")
     << " parameters\n";
  int64_t bytes = 0;
  for (const json::Value &file : *report.getArray("files"))
    bytes += integer(*file.getAsObject(), "bytes");
  os << "  files: " << report.getArray("files")->size() << ", " << bytesText(double(bytes)) << "; stored as";
  for (auto &[type, stored] : *report.getObject("stored"))
    os << " " << StringRef(type) << " (" << bytesText(double(*stored.getAsInteger())) << ")";
  os << "\n  configuration: " << text(report, "configuration") << "\n";
  os << "  vocabulary " << integer(report, "vocab_size") << ", width " << integer(report, "hidden_size") << ", "
     << report.getArray("layers")->size() << " layers, "
     << (report.getBoolean("tied_head").value_or(false) ? "head and embeddings in one" : "head of its own") << "\n\n";
  printLayers(report, os);
  os << "\n";
  Table parts("lr");
  parts.add({"part", "parameters"});
  for (StringRef part : {"embeddings", "mamba", "attention", "gated_memory", "cross_attention", "mlp", "other",
                         "final_norm", "head", "total"})
    if (parameters.get(part))
      parts.add({part.str(), std::to_string(integer(parameters, part))});
  parts.print(os);
  os << "\nstate of a sequence: " << bytesText(double(integer(report, "state_bytes")));
  if (std::optional<int64_t> context = report.getInteger("max_context"))
    os << ", for up to " << *context << " tokens\n\n";
  else
    os << ", for any number of tokens\n\n";
  Table table("lrrrr");
  table.add({"precision", "weights", "state", "moved per token",
             formatv("most tokens/s at {0} GB/s", json::Value(*report.getNumber("bandwidth_gb_s"))).str()});
  for (const json::Value &entry : *report.getArray("precisions")) {
    const json::Object &line = *entry.getAsObject();
    table.add({text(line, "precision").str(), bytesText(double(integer(line, "weight_bytes"))),
               bytesText(double(integer(line, "state_bytes"))), bytesText(double(integer(line, "bytes_per_token"))),
               formatv("{0:f1}", *line.getNumber("tokens_per_second")).str()});
  }
  table.print(os);
  for (const json::Value &reason : *report.getArray("refused"))
    os << "\nrefused: " << *reason.getAsString() << "\n";
  for (const json::Value &warning : *report.getArray("warnings"))
    os << "\nwarning: " << *warning.getAsString() << "\n";
  if (const json::Array *tensors = report.getArray("tensors")) {
    os << "\n";
    for (const json::Value &entry : *tensors)
      os << "  " << text(*entry.getAsObject(), "name") << "  " << text(*entry.getAsObject(), "dtype")
         << formatv("{0}", *entry.getAsObject()->get("shape")) << "\n";
  }
}

/// The member of that name, or an empty object: a manifest can be of another version of the compiler.
json::Object member(const json::Object &object, StringRef key) {
  const json::Object *found = object.getObject(key);
  return found ? *found : json::Object();
}

/// What of the manifest a reader wants first; all of it is in the JSON.
void printManifest(const json::Object &manifest, raw_ostream &os) {
  json::Object model = member(manifest, "model"), target = member(manifest, "target"),
               state = member(manifest, "state");
  os << "  model: " << text(manifest, "name") << ", " << text(model, "family") << ", " << integer(model, "parameters")
     << " parameters, vocabulary " << integer(model, "vocab_size") << ", width " << integer(model, "hidden_size")
     << ", " << integer(model, "num_layers") << " layers\n";
  os << "  precision: " << text(manifest, "precision");
  if (const json::Array *fields = state.getArray("fields"))
    for (const json::Value &field : *fields)
      if (const json::Object *object = field.getAsObject(); object && text(*object, "name").ends_with(".key")) {
        os << ", keys and values in " << text(*object, "dtype");
        break;
      }
  os << "\n  state of a sequence: " << bytesText(double(integer(state, "bytes")));
  if (std::optional<int64_t> context = model.getInteger("max_context"))
    os << ", for up to " << *context << " tokens\n";
  else
    os << ", for any number of tokens\n";
  os << "  for: " << text(target, "cpu") << ", " << text(target, "triple") << "\n";
  os << "  by: " << text(manifest, "compiler") << "\n";
}

void printArtefact(const json::Object &report, raw_ostream &os) {
  os << text(report, "path") << ": compiled model, " << bytesText(double(integer(report, "bytes"))) << "\n";
  printManifest(*report.getObject("manifest"), os);
  for (StringRef name : {"code", "weights", "gpu_weights", "gpu", "tokenizer", "manifest"})
    if (int64_t bytes = integer(*report.getObject("sections"), name))
      os << "  " << name << ": " << bytesText(double(bytes)) << "\n";
}

} // namespace

void samba::inspect::print(const json::Object &report, raw_ostream &os) {
  if (text(report, "kind") == "checkpoint")
    printCheckpoint(report, os);
  else
    printArtefact(report, os);
}
