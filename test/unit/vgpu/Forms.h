//===- Forms.h - one form of an opcode against a scalar function -*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TEST_UNIT_VGPU_FORMS_H
#define TEST_UNIT_VGPU_FORMS_H

#include "test/unit/vgpu/Device.h"

#include <cmath>
#include <limits>
#include <random>

namespace samba::vgpu::test {

/// Sixteen bits of a register, where they are no integer.
struct Half {
  uint16_t bits;
  bool operator==(const Half &other) const { return bits == other.bits; }
};

template <typename T> struct Register {
  static const char *prefix() { return sizeof(T) == 8 ? "%rd" : sizeof(T) == 4 ? "%r" : "%h"; }
  static std::string move() { return "b" + std::to_string(sizeof(T) * 8); }
};
template <> inline const char *Register<float>::prefix() { return "%f"; }
template <> inline const char *Register<double>::prefix() { return "%fd"; }

template <typename T> std::vector<T> edges() {
  using L = std::numeric_limits<T>;
  if constexpr (std::is_floating_point_v<T>)
    return {T(0),
            T(-0.0),
            T(1),
            T(-1),
            T(0.5),
            T(1.5),
            T(2.5),
            T(-2.5),
            T(3),
            T(126),
            T(-127),
            T(2147483648.0),
            T(-2147483904.0),
            T(4294967296.0),
            T(9223372036854775808.0),
            T(65504),
            T(65536),
            T(1e-3),
            L::max(),
            L::lowest(),
            L::min(),
            -L::min(),
            L::denorm_min(),
            L::min() / 2,
            L::infinity(),
            -L::infinity(),
            L::quiet_NaN(),
            T(1) + L::epsilon()};
  else if constexpr (std::is_same_v<T, Half>)
    return {{0},      {0x8000}, {0x3c00}, {0xbc00}, {0x3f80}, {0xbf80}, {0x7c00}, {0xfc00},
            {0x7f80}, {0xff80}, {0x7e00}, {0x7fc0}, {0x0001}, {0x8001}, {0x03ff}, {0x0400},
            {0x7bff}, {0x7f7f}, {0xfbff}, {0x3555}, {0x4248}, {0x0080}};
  else
    return {T(0),
            T(1),
            T(2),
            T(3),
            T(7),
            T(8),
            T(15),
            T(16),
            T(31),
            T(32),
            T(33),
            T(63),
            T(64),
            T(65),
            T(127),
            T(128),
            T(255),
            L::max(),
            L::min(),
            T(L::max() - 1),
            T(L::min() + 1),
            T(-1),
            T(0x5555555555555555),
            T(0xaaaaaaaaaaaaaaaa)};
}

template <typename T> T arbitrary(std::mt19937_64 &random) {
  uint64_t bits = random();
  if constexpr (std::is_floating_point_v<T>) {
    // Half of them of moderate size, half any bits.
    if (bits & 1)
      return T(std::ldexp(double(int64_t(random())) / 0x1p63, int(bits >> 8 & 15) - 8));
  } else if constexpr (!std::is_same_v<T, Half>) {
    if (bits & 1)
      return T(random() >> (bits >> 1 & 63));
  }
  bits = random();
  T value;
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}

/// All pairs of edges, then arbitrary values; a multiple of 32 of them.
template <typename... In> std::vector<std::tuple<In...>> inputs() {
  std::mt19937_64 random(1);
  std::vector<std::tuple<In...>> result;
  using First = std::tuple_element_t<0, std::tuple<In...>>;
  using Second = std::tuple_element_t<sizeof...(In) - 1, std::tuple<In...>>;
  for (First a : edges<First>())
    for (Second b : edges<Second>()) {
      std::tuple<In...> values{arbitrary<In>(random)...};
      std::get<sizeof...(In) - 1>(values) = b;
      std::get<0>(values) = a;
      if constexpr (sizeof...(In) == 3) {
        auto middle = edges<std::tuple_element_t<1, std::tuple<In...>>>();
        std::get<1>(values) = middle[random() % middle.size()];
      }
      result.push_back(values);
    }
  while (result.size() < 1536 || result.size() % 32)
    result.push_back({arbitrary<In>(random)...});
  return result;
}

template <typename T> std::string bitsOf(T value) {
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  char text[32];
  snprintf(text, sizeof(text), "0x%0*llx", int(sizeof(T) * 2), static_cast<unsigned long long>(bits));
  return text;
}

template <typename T> double difference(T a, T b) {
  if (std::memcmp(&a, &b, sizeof(T)) == 0)
    return 0;
  if constexpr (std::is_floating_point_v<T>) {
    if (a != a && b != b)
      return 0;
    if (a == b || std::isinf(a) || std::isinf(b) || a != a || b != b)
      return INFINITY; // zeros of different sign, too
    return std::fabs(double(a) - double(b)) / std::fabs(double(std::nextafter(b, T(INFINITY))) - double(b));
  }
  return INFINITY;
}

template <typename T> struct Same {
  using type = T;
};
/// A parameter from which no template argument is deduced: lambdas become function pointers.
template <typename T> using Given = typename Same<T>::type;

/// Runs "OPCODE d, a, b, ..., TAIL" on many inputs. `expected` says what d must be, up to `ulps`; inputs for which
/// `allowed` is false are replaced by ones.
template <typename Out, typename... In>
void form(const std::string &opcode, Given<Out (*)(In...)> expected, const std::string &tail = "", double ulps = 0,
          Given<bool (*)(In...)> allowed = nullptr) {
  std::vector<std::tuple<In...>> values = inputs<In...>();
  if (allowed)
    for (auto &value : values)
      if (!std::apply(allowed, value))
        value = std::apply([](auto... x) { return std::tuple<In...>{decltype(x){1}...}; }, value);
  std::string body = "mov.u32 %r50, %ctaid.x; mad.lo.u32 %r51, %r50, 32, %r0;", operation = opcode + " ";
  operation += std::string(Register<Out>::prefix()) + "10";
  unsigned n = 0;
  auto load = [&](auto zero) {
    using T = decltype(zero);
    std::string name = Register<T>::prefix() + std::to_string(20 + n);
    body += "mad.wide.u32 %rd40, %r51, " + std::to_string(sizeof(T)) + ", %rd" + std::to_string(n + 1) +
            "; ld.global." + Register<T>::move() + " " + name + ", [%rd40];\n";
    operation += ", " + name;
    ++n;
  };
  (load(In{}), ...);
  body += operation + tail + ";\nmad.wide.u32 %rd40, %r51, " + std::to_string(sizeof(Out)) + ", %rd0; st.global." +
          Register<Out>::move() + " [%rd40], " + Register<Out>::prefix() + "10;";
  Options options;
  options.arch = 90;
  options.threads = 1;
  Device device(options);
  ASSERT_NO_THROW(device.load(kernel(4, body))) << opcode;
  uint64_t addresses[4] = {device.buffer(std::vector<Out>(values.size())), 0, 0, 0};
  auto upload = [&](auto index) {
    using T = std::tuple_element_t<index, std::tuple<In...>>;
    std::vector<T> column;
    for (const auto &value : values)
      column.push_back(std::get<index>(value));
    addresses[index + 1] = device.buffer(column);
  };
  upload(std::integral_constant<size_t, 0>());
  if constexpr (sizeof...(In) > 1)
    upload(std::integral_constant<size_t, 1>());
  if constexpr (sizeof...(In) > 2)
    upload(std::integral_constant<size_t, 2>());
  ASSERT_NO_THROW(device.launch(static_cast<uint32_t>(values.size() / 32), 32, addresses[0], addresses[1], addresses[2],
                                addresses[3]))
      << opcode;
  std::vector<Out> results = device.read<Out>(addresses[0], values.size());
  for (size_t k = 0; k < values.size(); ++k) {
    Out right = std::apply(expected, values[k]);
    std::string arguments = std::apply([](auto... x) { return ((bitsOf(x) + " ") + ...); }, values[k]);
    ASSERT_LE(difference(results[k], right), ulps)
        << opcode << tail << " of " << arguments << "is " << bitsOf(results[k]) << ", expected " << bitsOf(right);
  }
}

} // namespace samba::vgpu::test

#endif // TEST_UNIT_VGPU_FORMS_H
