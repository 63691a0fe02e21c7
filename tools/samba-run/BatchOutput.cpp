//===- BatchOutput.cpp - the results of a batch --------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-run/BatchOutput.h"
#include "runtime/OutputFile.h"
#include "tools/samba-run/Console.h"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fcntl.h>
#include <stdexcept>
#include <sys/file.h>
#include <unistd.h>
#include <vector>

using namespace samba::run;

// A journal line: KEY, a space, the line number, a space, the result.
static const char *const ending = ".partial";

static std::runtime_error failure(const std::string &what, const std::string &path) {
  return std::runtime_error("cannot " + what + " '" + path + "': " + std::strerror(errno));
}

BatchOutput::BatchOutput(std::optional<std::string> path) : path(std::move(path)) {
  if (!this->path)
    return;
  try {
    openJournal();
  } catch (...) { // there is no destructor yet
    if (journal >= 0)
      ::close(journal);
    throw;
  }
}

BatchOutput::~BatchOutput() {
  if (journal >= 0)
    ::close(journal);
}

void BatchOutput::openJournal() {
  std::string name = *path + ending;
  journal = ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (journal < 0)
    throw failure("write", name);
  if (::flock(journal, LOCK_EX | LOCK_NB) != 0)
    throw std::runtime_error("'" + name + "' is in use by another run");
  std::string rest; // a line that is not whole yet
  std::vector<char> buffer(1 << 16);
  while (true) {
    ssize_t got = ::read(journal, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      throw failure("read", name);
    if (got == 0)
      break;
    rest.append(buffer.data(), static_cast<size_t>(got));
    size_t begin = 0;
    for (size_t newline; (newline = rest.find('\n', begin)) != std::string::npos; begin = newline + 1) {
      std::string line = rest.substr(begin, newline - begin);
      size_t first = line.find(' '), second = line.find(' ', first + 1);
      bool good =
          first != std::string::npos && second != std::string::npos && line[second + 1] == '{' && line.back() == '}';
      uint64_t number = 0;
      if (good) {
        std::from_chars_result read = std::from_chars(&line[first + 1], &line[second], number);
        good = read.ec == std::errc() && read.ptr == &line[second];
      }
      if (!good)
        throw std::runtime_error("'" + name + "' is not the journal of a batch: remove it to begin anew");
      places[number] = {line.substr(0, first), end + second + 1, line.size() - second - 1};
      end += line.size() + 1;
    }
    rest.erase(0, begin);
  }
  if (::ftruncate(journal, static_cast<off_t>(end)) != 0)
    throw failure("write", name);
}

void BatchOutput::append(const std::string &text) {
  size_t done = 0;
  while (done < text.size()) {
    ssize_t written = ::pwrite(journal, text.data() + done, text.size() - done, static_cast<off_t>(end + done));
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      throw failure("write", *path + ending);
    done += static_cast<size_t>(written);
  }
  end += text.size();
}

bool BatchOutput::knows(uint64_t line, const std::string &key) const {
  auto place = places.find(line);
  return place != places.end() && place->second.key == key;
}

void BatchOutput::expect(uint64_t line) { lines.insert(line); }

void BatchOutput::add(uint64_t line, const std::string &key, const std::string &result) {
  if (!path) {
    early[line] = result;
    return printReady();
  }
  std::string head = key + " " + std::to_string(line) + " ";
  Place place = {key, end + head.size(), result.size()};
  append(head + result + "\n");
  places[line] = place;
}

void BatchOutput::printReady() {
  while (!lines.empty()) {
    auto result = early.find(*lines.begin());
    if (result == early.end())
      return;
    print(result->second + "\n");
    early.erase(result);
    lines.erase(lines.begin());
  }
}

void BatchOutput::finish() {
  if (!path)
    return;
  samba::runtime::OutputFile out(*path, *path + ending + "-sorted"); // the journal's lock makes us its only writer
  std::string text;
  uint64_t offset = 0;
  for (uint64_t line : lines) {
    const Place &place = places.at(line);
    text.resize(place.bytes + 1);
    for (uint64_t done = 0; done < place.bytes;) {
      ssize_t got = ::pread(journal, &text[done], place.bytes - done, static_cast<off_t>(place.offset + done));
      if (got < 0 && errno == EINTR)
        continue;
      if (got <= 0)
        throw failure("read", *path + ending);
      done += static_cast<uint64_t>(got);
    }
    text.back() = '\n';
    out.write(offset, text.data(), text.size());
    offset += text.size();
  }
  out.commit();
  ::unlink((*path + ending).c_str());
}
