//===- Settings.cpp - what kind of virtual device there is ---------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/vgpu/driver/Settings.h"

#include <algorithm>
#include <limits>

using namespace samba::vgpu;

static uint64_t number(const std::string &key, const std::string &text, uint64_t most) {
  uint64_t value = 0;
  bool valid = !text.empty() && text.size() <= 19;
  for (char c : text) {
    valid &= c >= '0' && c <= '9';
    value = value * 10 + static_cast<uint64_t>(c - '0');
  }
  if (!valid || value > most)
    throw Error("'" + key + "': expected a number up to " + std::to_string(most) + ", found '" + text + "'");
  return value;
}

/// ENTRY@CALL:RESULT.
static void addFailure(Settings &settings, const std::string &text) {
  size_t at = text.find('@'), colon = text.find(':', std::min(at, text.size()));
  if (at == std::string::npos || colon == std::string::npos)
    throw Error("'fail': expected ENTRY@CALL:RESULT, found '" + text + "'");
  settings.failures[text.substr(0, at)] = {number("fail", text.substr(at + 1, colon - at - 1), 1u << 30),
                                           static_cast<int>(number("fail", text.substr(colon + 1), 9999))};
}

static void set(Settings &settings, const std::string &key, const std::string &value) {
  Options &options = settings.options;
  if (key == "arch")
    options.arch = static_cast<int>(number(key, value, 999));
  else if (key == "seed")
    options.seed = number(key, value, std::numeric_limits<int64_t>::max());
  else if (key == "threads")
    options.threads = static_cast<int>(number(key, value, 1024));
  else if (key == "check")
    options.check = number(key, value, 1) != 0;
  else if (key == "counters")
    options.counters = number(key, value, 1) != 0;
  else if (key == "races")
    options.globalRaces = number(key, value, 1) != 0;
  else if (key == "watchdog")
    options.watchdog = number(key, value, std::numeric_limits<int64_t>::max());
  else if (key == "memory")
    settings.memory = number(key, value, uint64_t(1) << 46);
  else if (key == "devices")
    settings.devices = static_cast<int>(number(key, value, 1));
  else if (key == "version")
    settings.version = static_cast<int>(number(key, value, 99999));
  else if (key == "fail")
    addFailure(settings, value);
  else if (key == "ptx")
    settings.ptx = value;
  else if (key == "record")
    settings.record = value;
  else
    throw Error("unknown setting '" + key +
                "', expected arch, seed, threads, check, counters, races, watchdog, "
                "memory, devices, version, fail, ptx or record");
}

Settings Settings::parse(const std::string &text) {
  Settings settings;
  settings.text = text;
  for (size_t begin = 0; begin < text.size();) {
    size_t end = std::min(text.find(',', begin), text.size());
    std::string setting = text.substr(begin, end - begin);
    size_t equals = setting.find('=');
    if (equals == std::string::npos)
      throw Error("expected KEY=VALUE, found '" + setting + "'");
    set(settings, setting.substr(0, equals), setting.substr(equals + 1));
    begin = end + 1;
  }
  return settings;
}
