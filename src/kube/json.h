#pragma once

// JSON texts and their fields, without exceptions. Private to the room: nobody else includes it.
// Values only; any thread.

#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace holdfast::kube {

using Json = nlohmann::json;

/// Called with each element of the array `items` of the outermost object as soon as it is complete;
/// it is not kept in the result. An error ends the parse.
using ItemVisitor = std::function<base::Status(Json& item)>;

/// Parses one JSON text. Members called managedFields are left out, wherever they are; bytes that
/// are not UTF-8 become U+FFFD. More than kNesting levels, or anything after the value, is an
/// error. With `visit_item`, the elements of `items` are handed out one by one.
base::StatusOr<Json> parse_json(std::string_view text, const ItemVisitor& visit_item = {});

/// The fields of one JSON object. Absent and null are the same. A field of the wrong type reads as
/// absent and leaves a complaint that names it, such as "spec.rules[2].host: expected a string,
/// found a number"; the first complaint stays. The value and the complaint outlive the reader.
class Fields {
 public:
  Fields(const Json& value, base::Status& complaint) : Fields(&value, "", complaint) {}

  /// True when there is an object to read from.
  [[nodiscard]] bool present() const { return value_ != nullptr; }

  [[nodiscard]] std::string text(const char* key) const;
  [[nodiscard]] std::optional<std::string> optional_text(const char* key) const;
  [[nodiscard]] std::optional<std::int32_t> number(const char* key) const;
  [[nodiscard]] std::optional<bool> flag(const char* key) const;
  /// An apimachinery IntOrString, in text.
  [[nodiscard]] std::string text_or_number(const char* key) const;
  [[nodiscard]] std::map<std::string, std::string> text_map(const char* key) const;
  [[nodiscard]] std::vector<std::string> texts(const char* key) const;
  /// An object; absent reads as an empty one that is not present().
  [[nodiscard]] Fields object(const char* key) const;
  /// The elements of an array of objects.
  [[nodiscard]] std::vector<Fields> objects(const char* key) const;

  void complain(std::string_view key, std::string_view what) const;

 private:
  Fields(const Json* value, std::string path, base::Status& complaint);
  [[nodiscard]] const Json* find(const char* key) const;
  [[nodiscard]] const Json* find_array(const char* key) const;
  void expected(std::string_view key, const char* type, const Json& found) const;
  [[nodiscard]] std::string path_of(std::string_view key) const;

  const Json* value_;
  std::string path_;
  base::Status* complaint_;
};

}  // namespace holdfast::kube
