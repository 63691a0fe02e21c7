//===- BatchLine.cpp - one line of a batch -------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-run/BatchLine.h"
#include "runtime/JsonValue.h"
#include "tools/samba-run/Input.h"

#include <limits>

using namespace samba;
using namespace samba::run;
using nlohmann::ordered_json;

namespace {

[[noreturn]] void wrong(const std::string &key, const std::string &expected, const ordered_json &found) {
  throw std::runtime_error("key '" + key + "': expected " + expected + ", found " +
                           found.dump(-1, ' ', true, ordered_json::error_handler_t::replace).substr(0, 60));
}

template <typename Integer> Integer integer(const std::string &key, const ordered_json &value, int64_t high) {
  // A number below 0 is not unsigned, and one that is compares as such.
  if (!value.is_number_unsigned() || value.get<uint64_t>() > static_cast<uint64_t>(high))
    wrong(key, "an integer from 0 to " + std::to_string(high), value);
  return static_cast<Integer>(value.get<uint64_t>());
}

float number(const std::string &key, const ordered_json &value) {
  if (!value.is_number())
    wrong(key, "a number", value);
  return value.get<float>(); // what is out of range, the sampler refuses
}

std::string text(const std::string &key, const ordered_json &value) {
  if (!value.is_string())
    wrong(key, "a text", value);
  return value.get<std::string>();
}

std::vector<std::string> stopStrings(const ordered_json &value) {
  std::vector<std::string> stops;
  for (const ordered_json &one : value.is_array() ? value : ordered_json::array({value})) {
    stops.push_back(text("stop", one));
    if (stops.back().empty())
      wrong("stop", "a text that is not empty", one);
  }
  return stops;
}

std::map<int32_t, float> biases(const ordered_json &value) {
  if (!value.is_object())
    wrong("logit_bias", "an object of token ids and numbers", value);
  std::map<int32_t, float> result;
  for (const auto &[name, bias] : value.items()) {
    auto id = runtime::parseJson<ordered_json>(name, "a key of 'logit_bias'");
    result[integer<int32_t>("logit_bias", id, std::numeric_limits<int32_t>::max())] = number("logit_bias", bias);
  }
  return result;
}

} // namespace

BatchLine BatchLine::parse(const std::string &line, const Model &model, const Wish &defaults) {
  constexpr int64_t most = std::numeric_limits<int32_t>::max();
  auto object = runtime::parseJson<ordered_json>(line, "the JSON");
  if (!object.is_object())
    throw std::runtime_error("expected a JSON object");
  BatchLine result;
  result.wish = defaults;
  samba_sampling &sampling = result.wish.sampling;
  if (object.contains("prompt") == object.contains("tokens"))
    throw std::runtime_error("expected either 'prompt' or 'tokens'");
  for (const auto &[key, value] : object.items()) {
    if (key == "prompt")
      result.prompt = model.tokenize(text(key, value));
    else if (key == "tokens")
      result.prompt = tokensOf(value, "key 'tokens'", model.vocabSize());
    else if (key == "n")
      result.wish.tokens = integer<int64_t>(key, value, most);
    else if (key == "temp")
      sampling.temperature = number(key, value);
    else if (key == "top_k")
      sampling.top_k = integer<int32_t>(key, value, most);
    else if (key == "top_p")
      sampling.top_p = number(key, value);
    else if (key == "min_p")
      sampling.min_p = number(key, value);
    else if (key == "repeat_penalty")
      sampling.repeat_penalty = number(key, value);
    else if (key == "presence_penalty")
      sampling.presence_penalty = number(key, value);
    else if (key == "frequency_penalty")
      sampling.frequency_penalty = number(key, value);
    else if (key == "seed")
      sampling.seed = integer<uint64_t>(key, value, std::numeric_limits<int64_t>::max());
    else if (key == "stop")
      result.wish.stops = stopStrings(value);
    else if (key == "logit_bias")
      result.wish.bias = biases(value);
    else if (key == "logprobs")
      result.wish.logprobs = integer<int32_t>(key, value, most);
    else if (key == "ignore_eos" && value.is_boolean())
      result.wish.ignoreEos = value.get<bool>();
    else if (key == "id")
      result.id = value;
    else
      wrong(key, key == "ignore_eos" ? "true or false" : "a key that is known", value);
  }
  if (result.prompt.empty())
    throw std::runtime_error("the prompt has no tokens");
  return result;
}
