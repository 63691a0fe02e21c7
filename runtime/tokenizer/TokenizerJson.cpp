//===- TokenizerJson.cpp - reads tokenizer.json --------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Error.h"
#include "runtime/JsonValue.h"
#include "runtime/tokenizer/TokenizerSpec.h"
#include "runtime/tokenizer/Unicode.h"

#include <functional>
#include <string_view>
#include <unordered_map>

using namespace samba::runtime;
using nlohmann::json;

namespace {

constexpr size_t maxSteps = 64;        // of a normalizer, pre-tokenizer or decoder
constexpr size_t maxFrame = 256;       // special tokens around a text
constexpr size_t maxTokenBytes = 4096; // of an added one

/// Names and what they stand for.
template <typename Value> using Names = std::vector<std::pair<std::string_view, Value>>;

template <typename Value> Value named(const JsonValue &value, const Names<Value> &names) {
  std::string found = value.isString() ? value.text() : "";
  std::string expected;
  for (const auto &[name, meaning] : names) {
    if (found == name)
      return meaning;
    expected += (expected.empty() ? "one of " : ", ") + std::string(name);
  }
  value.wrong(expected);
}

class SpecReader {
public:
  SpecReader(const samba_tokenizer_source &source)
      : source(source), name(source.name),
        document(parseObject(name, "the tokenizer", std::string_view(source.json, source.bytes))) {}

  TokenizerSpec read() {
    JsonValue root(name, "key", document);
    readModel(root["model"]);
    readAdded(root["added_tokens"]);
    if (source.added_tokens) {
      if (source.added_tokens_name)
        configName = source.added_tokens_name;
      configAdded["added_tokens_decoder"] = parseObject(configName, "added_tokens_decoder", source.added_tokens);
      readMoreAdded(JsonValue(configName, "key", configAdded)["added_tokens_decoder"]);
    }
    sequence(root["normalizer"], "normalizers", [&](const JsonValue &value) { readNormalizer(value); });
    sequence(root["pre_tokenizer"], "pretokenizers", [&](const JsonValue &value) { readPreTokenizer(value); });
    spec.hasDecoder = !root["decoder"].isNull();
    sequence(root["decoder"], "decoders", [&](const JsonValue &value) { readDecoder(value); });
    sequence(root["post_processor"], "processors", [&](const JsonValue &value) { readPostProcessor(value); });
    checkOrder(root);
    applyFlags();
    return std::move(spec);
  }

private:
  /// Calls `one` for the step, or for each of a sequence of steps, in order.
  void sequence(const JsonValue &value, const char *member, const std::function<void(const JsonValue &)> &one,
                size_t depth = 0) {
    if (value.isNull())
      return;
    if (!value["type"].isString() || value["type"].text() != "Sequence")
      return one(value);
    JsonValue steps = value[member];
    if (steps.arraySize() > maxSteps || depth > 8)
      steps.wrong("at most " + std::to_string(maxSteps) + " steps");
    for (size_t i = 0; i < steps.arraySize(); ++i)
      sequence(steps.at(i), member, one, depth + 1);
  }

  static PatternSpec readPattern(const JsonValue &value) {
    if (!value["String"].isNull())
      return {true, value["String"].text()};
    return {false, value["Regex"].text()};
  }

  int32_t idOf(const JsonValue &value) const { return static_cast<int32_t>(value.integer(0, source.vocab_size - 1)); }

  void addPiece(std::string_view piece, const JsonValue &value) {
    int32_t id = idOf(value);
    if (piece.empty())
      return; // never found in a text
    if (spec.pieces.size() <= static_cast<size_t>(id))
      spec.pieces.resize(static_cast<size_t>(id) + 1);
    if (!spec.pieces[static_cast<size_t>(id)].empty())
      value.wrong("an id of its own");
    spec.pieces[static_cast<size_t>(id)] = piece;
  }

  int32_t find(std::string_view piece) const {
    auto found = ids.find(piece);
    return found == ids.end() ? -1 : found->second;
  }

  void readModel(const JsonValue &model) {
    JsonValue type = model["type"], vocabulary = model["vocab"];
    if (type.isNull() ? vocabulary.isArray() : type.isString() && type.text() == "Unigram")
      spec.model = TokenizerSpec::Unigram;
    else if (!type.isNull())
      named<int>(type, {{"BPE", 0}, {"Unigram", 1}});
    spec.byteFallback = model["byte_fallback"].boolean(false);
    if (spec.model == TokenizerSpec::Bpe)
      readVocabulary(vocabulary);
    else
      readScores(vocabulary);
    ids.reserve(spec.pieces.size());
    for (size_t id = 0; id < spec.pieces.size(); ++id)
      if (!spec.pieces[id].empty())
        ids.emplace(spec.pieces[id], static_cast<int32_t>(id));
    if (spec.model == TokenizerSpec::Unigram) {
      spec.fuseUnknown = true;
      JsonValue unknown = model["unk_id"];
      if (!unknown.isNull())
        spec.unknown =
            static_cast<int32_t>(unknown.integer(0, static_cast<int64_t>(std::max<size_t>(spec.pieces.size(), 1)) - 1));
      return;
    }
    spec.fuseUnknown = model["fuse_unk"].boolean(false);
    spec.ignoreMerges = model["ignore_merges"].boolean(false);
    JsonValue unknown = model["unk_token"], dropout = model["dropout"];
    if (!unknown.isNull()) {
      spec.unknown = find(unknown.text());
      if (spec.unknown < 0 && !unknown.text().empty())
        unknown.wrong("a piece of the vocabulary");
    }
    if (!dropout.isNull() && dropout.number() != 0)
      dropout.wrong("null: random merges are not supported");
    for (const char *key : {"continuing_subword_prefix", "end_of_word_suffix"})
      if (!model[key].isNull() && !model[key].text().empty())
        model[key].wrong("null or an empty string: nothing else is supported");
    readMerges(model["merges"]);
  }

  void readVocabulary(const JsonValue &vocabulary) {
    for (const auto &item : vocabulary.object().items())
      addPiece(item.key(), vocabulary[item.key()]);
  }

  void readScores(const JsonValue &vocabulary) {
    if (vocabulary.arraySize() > static_cast<size_t>(source.vocab_size))
      tooMany(vocabulary.arraySize());
    for (size_t i = 0; i < vocabulary.arraySize(); ++i) {
      JsonValue entry = vocabulary.at(i);
      if (entry.arraySize() != 2)
        entry.wrong("a piece and its score");
      spec.pieces.push_back(entry.at(0).text());
      double score = entry.at(1).number();
      if (!(score > -1e30 && score < 1e30))
        entry.at(1).wrong("a finite number");
      spec.scores.push_back(score);
    }
  }

  [[noreturn]] void tooMany(size_t pieces) const {
    throw Error(SAMBA_ERROR_FORMAT, "'" + name + "': expected at most " + std::to_string(source.vocab_size) +
                                        " pieces (vocab_size), found " + std::to_string(pieces));
  }

  void readMerges(const JsonValue &merges) {
    spec.merges.reserve(merges.arraySize());
    for (size_t i = 0; i < merges.arraySize(); ++i) {
      JsonValue merge = merges.at(i);
      std::string left, right;
      if (merge.isString()) {
        const std::string &pair = merge.text();
        size_t space = pair.find(' ');
        if (space == std::string::npos || pair.find(' ', space + 1) != std::string::npos)
          merge.wrong("two pieces with a space between them");
        left = pair.substr(0, space);
        right = pair.substr(space + 1);
      } else {
        if (merge.arraySize() != 2)
          merge.wrong("two pieces");
        left = merge.at(0).text();
        right = merge.at(1).text();
      }
      Merge resolved = {find(left), find(right), find(left + right)};
      if (resolved.left < 0 || resolved.right < 0 || resolved.result < 0)
        merge.wrong("two pieces of the vocabulary that make a third one");
      spec.merges.push_back(resolved);
    }
  }

  void addToken(const JsonValue &value, const JsonValue &id) {
    AddedToken token;
    token.text = value["content"].text();
    token.id = idOf(id);
    token.special = value["special"].boolean(false);
    token.leftStrip = value["lstrip"].boolean(false);
    token.rightStrip = value["rstrip"].boolean(false);
    token.singleWord = value["single_word"].boolean(false);
    token.normalized = value["normalized"].boolean(!token.special);
    if (token.text.size() > maxTokenBytes)
      value["content"].wrong("at most " + std::to_string(maxTokenBytes) + " bytes");
    if (token.text.empty())
      return;
    int32_t piece = find(token.text);
    if (piece >= 0 && piece != token.id)
      id.wrong("the id " + std::to_string(piece) + " of the piece");
    auto known = addedIds.find(token.text);
    if (known != addedIds.end()) {
      if (known->second != token.id)
        id.wrong("the id " + std::to_string(known->second) + " that the token has already");
      return;
    }
    bool taken = piece < 0 && static_cast<size_t>(token.id) < spec.pieces.size() &&
                 !spec.pieces[static_cast<size_t>(token.id)].empty();
    if (taken)
      id.wrong("an id that is not of another piece");
    addedIds.emplace(token.text, token.id);
    spec.added.push_back(std::move(token));
  }

  void readAdded(const JsonValue &tokens) {
    if (tokens.isNull())
      return;
    for (size_t i = 0; i < tokens.arraySize(); ++i)
      addToken(tokens.at(i), tokens.at(i)["id"]);
  }

  /// Of tokenizer_config.json: an object by ids.
  void readMoreAdded(const JsonValue &tokens) {
    for (const auto &item : tokens.object().items()) {
      json id = json::parse(item.key(), nullptr, /*allow_exceptions=*/false);
      addToken(tokens[item.key()], JsonValue(configName, "added_tokens_decoder id", id));
    }
  }

  void readNormalizer(const JsonValue &value) {
    NormalizerStep step;
    step.kind = named<NormalizerStep::Kind>(value["type"], {{"NFC", NormalizerStep::NFC},
                                                            {"NFD", NormalizerStep::NFD},
                                                            {"NFKC", NormalizerStep::NFKC},
                                                            {"NFKD", NormalizerStep::NFKD},
                                                            {"Lowercase", NormalizerStep::Lowercase},
                                                            {"Strip", NormalizerStep::Strip},
                                                            {"StripAccents", NormalizerStep::StripAccents},
                                                            {"Prepend", NormalizerStep::Prepend},
                                                            {"Replace", NormalizerStep::Replace}});
    if (step.kind == NormalizerStep::Strip) {
      step.left = value["strip_left"].boolean(true);
      step.right = value["strip_right"].boolean(true);
    } else if (step.kind == NormalizerStep::Prepend) {
      step.text = value["prepend"].text();
    } else if (step.kind == NormalizerStep::Replace) {
      step.pattern = readPattern(value["pattern"]);
      step.text = value["content"].text();
    }
    spec.normalizer.push_back(step);
  }

  static std::string character(const JsonValue &value) {
    if (countCharacters(value.text()) != 1)
      value.wrong("one character");
    return value.text();
  }

  static PreTokenizerStep::Prepend prependScheme(const JsonValue &value) {
    if (value["prepend_scheme"].isNull())
      return value["add_prefix_space"].boolean(true) ? PreTokenizerStep::Always : PreTokenizerStep::Never;
    return named<PreTokenizerStep::Prepend>(
        value["prepend_scheme"],
        {{"always", PreTokenizerStep::Always}, {"first", PreTokenizerStep::First}, {"never", PreTokenizerStep::Never}});
  }

  void readPreTokenizer(const JsonValue &value) {
    PreTokenizerStep step;
    step.kind = named<PreTokenizerStep::Kind>(value["type"], {{"ByteLevel", PreTokenizerStep::ByteLevel},
                                                              {"Split", PreTokenizerStep::Split},
                                                              {"Digits", PreTokenizerStep::Digits},
                                                              {"Metaspace", PreTokenizerStep::Metaspace},
                                                              {"Punctuation", PreTokenizerStep::Punctuation},
                                                              {"Whitespace", PreTokenizerStep::Whitespace},
                                                              {"WhitespaceSplit", PreTokenizerStep::WhitespaceSplit}});
    switch (step.kind) {
    case PreTokenizerStep::ByteLevel:
      step.prefixSpace = value["add_prefix_space"].boolean(true);
      step.useRegex = value["use_regex"].boolean(true);
      break;
    case PreTokenizerStep::Split:
      step.pattern = readPattern(value["pattern"]);
      step.invert = value["invert"].boolean(false);
      break;
    case PreTokenizerStep::Digits:
      step.individual = value["individual_digits"].boolean(false);
      break;
    case PreTokenizerStep::Metaspace:
      step.replacement = character(value["replacement"]);
      step.prepend = prependScheme(value);
      step.split = value["split"].boolean(true);
      break;
    default:
      break;
    }
    if (step.kind == PreTokenizerStep::Split ||
        (step.kind == PreTokenizerStep::Punctuation && !value["behavior"].isNull()))
      step.behavior =
          named<SplitBehavior>(value["behavior"], {{"Removed", SplitBehavior::Removed},
                                                   {"Isolated", SplitBehavior::Isolated},
                                                   {"MergedWithPrevious", SplitBehavior::MergedWithPrevious},
                                                   {"MergedWithNext", SplitBehavior::MergedWithNext},
                                                   {"Contiguous", SplitBehavior::Contiguous}});
    spec.preTokenizer.push_back(step);
  }

  void readDecoder(const JsonValue &value) {
    DecoderStep step;
    step.kind = named<DecoderStep::Kind>(value["type"], {{"ByteLevel", DecoderStep::ByteLevel},
                                                         {"ByteFallback", DecoderStep::ByteFallback},
                                                         {"Fuse", DecoderStep::Fuse},
                                                         {"Metaspace", DecoderStep::Metaspace},
                                                         {"Replace", DecoderStep::Replace},
                                                         {"Strip", DecoderStep::Strip}});
    if (step.kind == DecoderStep::Metaspace) {
      step.text = character(value["replacement"]);
      step.prepended = prependScheme(value) != PreTokenizerStep::Never;
    } else if (step.kind == DecoderStep::Replace) {
      step.pattern = readPattern(value["pattern"]);
      step.text = value["content"].text();
    } else if (step.kind == DecoderStep::Strip) {
      step.text = character(value["content"]);
      step.start = static_cast<uint32_t>(value["start"].integer(0, 1 << 20));
      step.stop = static_cast<uint32_t>(value["stop"].integer(0, 1 << 20));
    }
    spec.decoder.push_back(step);
  }

  /// Puts ids around the text of the frame.
  void wrap(const std::vector<int32_t> &before, const std::vector<int32_t> &after, const JsonValue &value) {
    spec.frame.insert(spec.frame.begin(), before.begin(), before.end());
    spec.frame.insert(spec.frame.end(), after.begin(), after.end());
    if (spec.frame.size() > maxFrame)
      value.wrong("fewer special tokens");
  }

  void readPostProcessor(const JsonValue &value) {
    enum Kind { ByteLevel, Template, Bert };
    switch (named<Kind>(value["type"], {{"TemplateProcessing", Template},
                                        {"ByteLevel", ByteLevel}, // about offsets only
                                        {"BertProcessing", Bert},
                                        {"RobertaProcessing", Bert}})) {
    case ByteLevel:
      return;
    case Bert:
      return wrap({idOf(value["cls"].at(1))}, {idOf(value["sep"].at(1))}, value);
    case Template:
      break;
    }
    JsonValue items = value["single"];
    std::vector<int32_t> before, after;
    bool seen = false;
    for (size_t i = 0; i < items.arraySize(); ++i) {
      JsonValue item = items.at(i);
      if (!item["Sequence"].isNull()) {
        if (seen || item["Sequence"]["id"].text() != "A")
          items.wrong("the text A once");
        seen = true;
        continue;
      }
      const std::string &token = item["SpecialToken"]["id"].text();
      JsonValue known = value["special_tokens"][token]["ids"];
      for (size_t j = 0; j < known.arraySize(); ++j)
        (seen ? after : before).push_back(idOf(known.at(j)));
    }
    if (!seen)
      items.wrong("the text A once");
    wrap(before, after, items);
  }

  /// What is understood in one order only.
  void checkOrder(const JsonValue &root) const {
    for (size_t i = 0; i + 1 < spec.preTokenizer.size(); ++i)
      if (spec.preTokenizer[i].kind == PreTokenizerStep::ByteLevel)
        root["pre_tokenizer"].wrong("ByteLevel as the last step");
    int stage = 0; // of single tokens; bytes; the whole text
    for (const DecoderStep &step : spec.decoder) {
      bool bytes = step.kind == DecoderStep::ByteLevel || step.kind == DecoderStep::ByteFallback;
      int next = step.kind == DecoderStep::Fuse ? 2 : bytes ? 1 : stage == 2 ? 2 : 0;
      bool wholeText = stage == 2 && !(step.kind == DecoderStep::Strip && step.stop == 0);
      if (next < stage || (bytes && stage > 0) || wholeText)
        root["decoder"].wrong("steps on tokens, then ByteLevel or ByteFallback, then Fuse, then Strip at the start");
      stage = next;
    }
  }

  int32_t special(const char *text, const char *flag) const {
    if (text) {
      auto added = addedIds.find(text);
      if (added != addedIds.end())
        return added->second;
      if (int32_t id = find(text); id >= 0)
        return id;
    }
    throw Error(SAMBA_ERROR_FORMAT, "'" + name + "': " + flag + " is true, but there is no token " +
                                        (text ? "'" + std::string(text) + "'" : std::string("to add")));
  }

  void applyFlags() {
    auto split = spec.frame.begin();
    while (*split != TokenizerSpec::text)
      ++split;
    std::vector<int32_t> before(spec.frame.begin(), split), after(split + 1, spec.frame.end());
    if (source.add_bos >= 0)
      before =
          source.add_bos ? std::vector<int32_t>{special(source.bos_token, "add_bos_token")} : std::vector<int32_t>();
    if (source.add_eos >= 0)
      after =
          source.add_eos ? std::vector<int32_t>{special(source.eos_token, "add_eos_token")} : std::vector<int32_t>();
    spec.frame = before;
    spec.frame.push_back(TokenizerSpec::text);
    spec.frame.insert(spec.frame.end(), after.begin(), after.end());
  }

  const samba_tokenizer_source &source;
  std::string name, configName = "tokenizer_config.json";
  json document, configAdded;
  TokenizerSpec spec;
  std::unordered_map<std::string_view, int32_t> ids; // of pieces, which do not move any more
  std::unordered_map<std::string, int32_t> addedIds;
};

} // namespace

TokenizerSpec TokenizerSpec::fromJson(const samba_tokenizer_source &source) { return SpecReader(source).read(); }
