//===- VgpuReplay.cpp - changed kernels on recorded launches -------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// samba-vgpu-replay KERNELS.ptx RECORDING: runs the recorded launches of the kernels that the file has
// (--device=virtual: record=FILE makes a recording), and for each of --mutants, which has a line "NUMBER<tab>TEXT" for
// each, those with line NUMBER of the file replaced by TEXT. All that a launch leaves in device memory must be, bit by
// bit, what the unchanged kernel leaves there. Each run is a process of its own, in which memory is as it was before
// the launch.
//
//===----------------------------------------------------------------------===//

#include "runtime/vgpu/Recording.h"
#include "test/vgpu/CommandLine.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <sstream>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace samba::vgpu;

namespace {

const char *usage = "usage: samba-vgpu-replay KERNELS.ptx RECORDING [options]\n"
                    "  --mutants=FILE  lines NUMBER<tab>TEXT: changes of one line, tried one at a time\n"
                    "  --seeds=LIST    orders in which warps run (1,0)\n"
                    "  --arch=N        80 (default) or 90\n"
                    "  --seconds=N     of processor time, after which a launch is given up (20)\n"
                    "Prints for each mutant a line: 'survived', 'killed' or 'invalid' (no PTX), a tab, and by what.\n"
                    "Exit status: 0, or 1 for errors and if the unchanged kernels do not give the same each time.\n";

struct Arguments {
  std::string ptx, recording, mutants;
  std::vector<uint64_t> seeds = {1, 0};
  int arch = 80;
  unsigned seconds = 20;
};

bool setOption(Arguments &to, const std::string &name, const std::string &value) {
  if (name == "--mutants") {
    to.mutants = value;
  } else if (name == "--seeds") {
    to.seeds.clear();
    std::stringstream list(value);
    for (std::string seed; std::getline(list, seed, ',');)
      to.seeds.push_back(std::stoull(seed));
  } else if (name == "--arch") {
    to.arch = std::stoi(value);
  } else if (name == "--seconds") {
    to.seconds = static_cast<unsigned>(std::stoul(value));
  } else {
    return false;
  }
  return true;
}

enum class Fate { Survived, Killed, Invalid };

struct Mutant {
  size_t line;
  std::string text;
  Fate fate = Fate::Survived;
  std::string by;
};

std::vector<std::string> linesOf(const std::string &text) {
  std::vector<std::string> lines;
  std::stringstream stream(text);
  for (std::string line; std::getline(stream, line);)
    lines.push_back(line);
  return lines;
}

std::vector<Mutant> readMutants(const std::string &path, size_t lines) {
  std::vector<Mutant> mutants;
  for (const std::string &line : linesOf(contents(path))) {
    size_t tab = line.find('\t'), digits = line.find_first_not_of("0123456789");
    size_t number = tab != std::string::npos && tab && digits == tab ? std::stoull(line) : 0;
    if (number < 1 || number > lines)
      throw Error(path + ": line " + std::to_string(mutants.size() + 1) + ": expected a number from 1 to " +
                  std::to_string(lines) + " and a tab, found '" + line + "'");
    mutants.push_back({number, line.substr(tab + 1), Fate::Survived, ""});
  }
  return mutants;
}

/// What a process that runs a launch says: shared with the one that started it.
struct Report {
  Fate fate;
  uint64_t instructions; // of all warps
  uint64_t warps;
  char by[400];
};

class Replay {
public:
  explicit Replay(const Arguments &arguments)
      : arguments(arguments), source(linesOf(contents(arguments.ptx))), recording(arguments.recording) {
    kernels = Module::parse(changed(nullptr), arguments.arch)->kernels();
    report = static_cast<Report *>(share(sizeof(Report)));
    if (!arguments.mutants.empty())
      mutants = readMutants(arguments.mutants, source.size());
  }

  int run() {
    for (uint64_t seed : arguments.seeds) {
      recording.rewind();
      Memory memory;
      launches = 0;
      std::string kernel;
      Launch launch;
      while (anyAlive() && recording.next(memory, kernel, launch))
        if (std::find(kernels.begin(), kernels.end(), kernel) != kernels.end())
          replay(memory, kernel, launch, seed);
    }
    static const char *names[] = {"survived", "killed", "invalid"};
    for (const Mutant &mutant : mutants)
      printf("%s\t%s\n", names[static_cast<size_t>(mutant.fate)], mutant.by.c_str());
    if (mutants.empty())
      printf("%zu launches\n", launches);
    return 0;
  }

private:
  bool anyAlive() const {
    return mutants.empty() || std::any_of(mutants.begin(), mutants.end(),
                                          [](const Mutant &mutant) { return mutant.fate == Fate::Survived; });
  }

  static void *share(size_t bytes) {
    void *at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
      throw std::bad_alloc();
    return at;
  }

  /// One launch of the unchanged kernel, twice, and of all mutants that are still alive.
  void replay(Memory &memory, const std::string &kernel, const Launch &launch, uint64_t seed) {
    std::vector<std::pair<uint64_t, uint64_t>> places; // addresses that stay, and their bytes
    size_t total = 1;
    for (const auto &[address, allocation] : memory.allocations()) {
      places.emplace_back(address, allocation->bytes);
      total += allocation->bytes;
    }
    auto *expected = static_cast<uint8_t *>(share(total));
    auto attempt = [&](const Mutant *mutant, uint64_t order, uint64_t watchdog, bool compare) {
      inProcess([&] {
        Options options;
        options.threads = 1;
        options.seed = order;
        options.arch = arguments.arch;
        options.watchdog = watchdog;
        options.counters = !mutant;
        Executor executor(memory, options);
        auto module = Module::parse(changed(mutant), arguments.arch);
        Launch one = launch;
        one.kernel = module->find(kernel);
        executor.run(one);
        for (const auto &[name, counters] : executor.counters()) {
          report->warps = counters.warps;
          for (uint64_t count : counters.instructions)
            report->instructions += count;
        }
        uint8_t *next = expected;
        for (auto [address, bytes] : places) {
          const uint8_t *found = memory.find(address, bytes)->data;
          if (!compare)
            std::memcpy(next, found, bytes);
          else if (std::memcmp(next, found, bytes) != 0)
            return differs(memory, address, bytes, found, next);
          next += bytes;
        }
      });
    };
    attempt(nullptr, 0, Options().watchdog, false);
    // A warp that runs far more than others do, and than it did, will not end.
    uint64_t watchdog = report->warps ? 10000 + 50 * (report->instructions / report->warps) : 0;
    if (report->fate == Fate::Survived)
      attempt(nullptr, seed, watchdog, true);
    if (report->fate != Fate::Survived)
      throw Error("the unchanged kernel '" + kernel + "', launch " + std::to_string(launches + 1) + ": " + report->by);
    for (Mutant &mutant : mutants) {
      if (mutant.fate != Fate::Survived)
        continue;
      attempt(&mutant, seed, watchdog, true);
      mutant.fate = report->fate;
      mutant.by = report->by;
    }
    munmap(expected, total);
    ++launches;
  }

  std::string changed(const Mutant *mutant) const {
    std::string text;
    for (size_t k = 0; k < source.size(); ++k)
      text += (mutant && mutant->line == k + 1 ? mutant->text : source[k]) + "\n";
    return text;
  }

  void differs(Memory &memory, uint64_t address, uint64_t bytes, const uint8_t *found, const uint8_t *expected) {
    uint64_t k = 0;
    while (k < bytes && found[k] == expected[k])
      ++k;
    say(Fate::Killed, "byte " + std::to_string(k) + " of '" + memory.find(address, bytes)->name + "' differs");
  }

  void say(Fate fate, const std::string &by) {
    report->fate = fate;
    snprintf(report->by, sizeof(report->by), "%s", by.c_str());
    std::replace(report->by, report->by + strlen(report->by), '\n', ' ');
  }

  /// Runs something in a process of its own, which leaves a report.
  template <typename Body> void inProcess(Body body) {
    *report = Report();
    fflush(stdout);
    pid_t child = fork();
    if (child < 0)
      throw Error("no process can be started: " + std::string(strerror(errno)));
    if (child == 0) {
      // Of the processor: the machine may be busy.
      itimerval limit = {};
      limit.it_value.tv_sec = arguments.seconds;
      setitimer(ITIMER_PROF, &limit, nullptr);
      try {
        body();
      } catch (const Fault &fault) {
        say(Fate::Killed, fault.what());
      } catch (const std::exception &error) {
        say(Fate::Invalid, error.what());
      }
      _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status)) {
      if (WTERMSIG(status) != SIGPROF)
        throw Error("the virtual device ended with signal " + std::to_string(WTERMSIG(status)));
      say(Fate::Killed, "out of time");
    }
  }

  const Arguments &arguments;
  std::vector<std::string> source;
  Recording recording;
  std::vector<std::string> kernels;
  std::vector<Mutant> mutants;
  Report *report;
  size_t launches = 0;
};

} // namespace

int main(int argc, char **argv) {
  try {
    Arguments arguments;
    auto set = [&](const std::string &name, const std::string &value) { return setOption(arguments, name, value); };
    if (auto status = parseCommandLine(argc, argv, usage, {&arguments.ptx, &arguments.recording}, set))
      return *status;
    return Replay(arguments).run();
  } catch (const std::exception &error) {
    fprintf(stderr, "samba-vgpu-replay: %s\n", error.what());
    return 1;
  }
}
