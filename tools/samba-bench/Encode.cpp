//===- Encode.cpp - how fast text is made token ids -----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-bench/Encode.h"

#include "runtime/Tokenizer.h"
#include "runtime/tokenizer/SentencePieceEngine.h"
#include "runtime/tokenizer/TokenizerSpec.h"
#include "samba/samba.hpp"
#include "tools/samba-bench/MarkdownTable.h"
#include "tools/samba-bench/Statistics.h"
#include "tools/samba-run/Console.h"
#include "tools/samba-run/Input.h"

#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <sentencepiece_processor.h>

using namespace samba::bench;
using namespace samba::runtime;
using nlohmann::ordered_json;

namespace {

using Ids = std::vector<int32_t>;
using Encode = std::function<Ids(const std::string &)>;

bool endsWith(const std::string &text, std::string_view end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

class Measurement {
public:
  Measurement(const std::string &path, const Options &options, ordered_json &rows)
      : path(path), text(samba::run::readFile(*options.encode)), repetitions(options.repetitions), rows(rows) {
    if (text.empty())
      throw std::runtime_error("'" + *options.encode + "' is empty: there is nothing to encode");
  }

  /// `prepare` is what a program does once. Returns the ids.
  Ids add(const char *encoder, const std::function<Encode()> &prepare) {
    double begin = now();
    Encode encode = prepare();
    double load = now() - begin;
    Ids ids = encode(text); // does not count
    std::vector<double> seconds;
    for (int64_t i = 0; i < repetitions && !samba::run::interrupted(); ++i) {
      begin = now();
      encode(text);
      seconds.push_back(now() - begin);
    }
    if (seconds.empty())
      return ids;
    Statistics summary(seconds);
    rows.push_back({{"file", path},
                    {"encoder", encoder},
                    {"bytes", text.size()},
                    {"tokens", ids.size()},
                    {"load_s", load},
                    {"seconds", {{"minimum", summary.minimum}, {"median", summary.median}}},
                    {"bytes_per_s", double(text.size()) / summary.minimum}});
    return ids;
  }

private:
  std::string path, text;
  int64_t repetitions;
  ordered_json &rows;
};

Encode ofSentencePieceLibrary(const std::string &path, const std::string &bytes) {
  auto library = std::make_shared<sentencepiece::SentencePieceProcessor>();
  if (!library->LoadFromSerializedProto(bytes).ok())
    throw std::runtime_error("'" + path + "': the tokenizer is not a SentencePiece model");
  return [library](const std::string &text) {
    std::vector<int> ids;
    library->Encode(text, &ids);
    return Ids(ids.begin(), ids.end());
  };
}

void runSentencePiece(const std::string &path, Measurement &measurement) {
  std::string bytes = samba::run::readFile(path);
  Ids expected = measurement.add("library", [&] { return ofSentencePieceLibrary(path, bytes); });
  std::string why;
  std::optional<SentencePieceProto> proto = SentencePieceProto::read(bytes);
  if (!proto || !SentencePieceEngine::create(*proto, &why)) {
    std::fprintf(stderr, "samba-bench: warning: '%s': %s: only the library encodes it\n", path.c_str(), why.c_str());
    return;
  }
  Ids ids = measurement.add("samba", [&]() -> Encode {
    std::shared_ptr<SentencePieceEngine> engine = SentencePieceEngine::create(*SentencePieceProto::read(bytes));
    return [engine](const std::string &text) {
      Ids ids;
      engine->encode(text, ids);
      return ids;
    };
  });
  if (ids != expected)
    throw std::runtime_error("'" + path + "': the ids are not those of the SentencePiece library");
}

void runTokenizerJson(const std::string &path, Measurement &measurement) {
  std::string json = samba::run::readFile(path);
  samba_tokenizer_source source = {};
  source.size = sizeof(source);
  source.name = path.c_str();
  source.json = json.data();
  source.bytes = json.size();
  source.vocab_size = std::numeric_limits<int32_t>::max();
  source.add_bos = source.add_eos = -1;
  std::string bytes = TokenizerSpec::fromJson(source).toBytes(); // as the compiler does
  measurement.add("samba", [&]() -> Encode {
    std::shared_ptr<Tokenizer> tokenizer =
        Tokenizer::create(Tokenizer::Kind::Pipeline, path, bytes, {source.vocab_size, {}, {}, {}});
    return [tokenizer](const std::string &text) { return tokenizer->encode(text, Tokenizer::Special::None); };
  });
}

} // namespace

void samba::bench::runEncoding(const std::string &path, const Options &options, ordered_json &rows) {
  Measurement measurement(path, options, rows);
  if (endsWith(path, ".json"))
    return runTokenizerJson(path, measurement);
  if (endsWith(path, ".model"))
    return runSentencePiece(path, measurement);
  measurement.add("samba", [&]() -> Encode {
    auto model = std::make_shared<Model>(path);
    return [model](const std::string &text) { return model->tokenize(text, /*special=*/false); };
  });
}

std::string samba::bench::encodingMarkdown(const ordered_json &rows) {
  MarkdownTable table({"tokenizer", "encoder", ">bytes", ">tokens", ">load ms", ">best MB/s", ">median ms"});
  for (const ordered_json &row : rows)
    table.add({textOf(row.at("file")), textOf(row.at("encoder")), textOf(row.at("bytes")), textOf(row.at("tokens")),
               cell(row, "/load_s", 1e3), cell(row, "/bytes_per_s", 1e-6), cell(row, "/seconds/median", 1e3)});
  return table.text();
}
