#include "digest.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <span>
#include <stdexcept>
#include <system_error>

#include "files.hpp"

namespace runnel_cli {
namespace {

// An open file. Every member may block in the kernel.
class file {
 public:
  runnel::error open(const std::string& path) {
    // O_NONBLOCK: a FIFO that took the file's place since the walk must not hold the open up.
    fd_ = owned_fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    struct stat status {};
    if (!fd_ || ::fstat(fd_.get(), &status) != 0) return errno_error();
    if (!S_ISREG(status.st_mode)) return "no longer a regular file";
    return {};
  }

  // Fills `block`, but for the end of the file; `count` says how far.
  runnel::error read(std::span<unsigned char> block, std::size_t& count) {
    count = 0;
    while (count < block.size()) {
      const ssize_t n = read_some(fd_.get(), block.data() + count, block.size() - count);
      if (n < 0) return errno_error();
      if (n == 0) break;
      count += static_cast<std::size_t>(n);
    }
    return {};
  }

 private:
  owned_fd fd_;
};

std::string to_hex(const unsigned char* bytes, unsigned count) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string hex;
  hex.reserve(std::size_t{count} * 2);
  for (unsigned i = 0; i < count; ++i) {
    hex += digits[bytes[i] >> 4];
    hex += digits[bytes[i] & 15];
  }
  return hex;
}

void check(int ok) {
  if (ok != 1) throw std::runtime_error("libcrypto cannot compute SHA-256");
}

// One descriptor of SHA-256 for the process: fetching it is far slower than hashing a small file.
const EVP_MD* sha256() {
  static EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  check(algorithm != nullptr);
  return algorithm;
}

}  // namespace

digester::digester()
    : context_(EVP_MD_CTX_new()),
      block_(std::make_unique_for_overwrite<unsigned char[]>(block_size)) {
  check(context_ != nullptr);
  check(EVP_DigestInit_ex2(context_.get(), sha256(), nullptr));
}

file_digest digester::operator()(const std::string& path) {
  file_digest result;
  file input;
  const std::span block(block_.get(), block_size);
  std::size_t count = 0;
  check(EVP_DigestInit_ex2(context_.get(), nullptr, nullptr));
  // Only the calls into the kernel run inside `blocking`: what computes keeps to the processors.
  result.failure = runnel::blocking([&] {
    runnel::error e = input.open(path);
    return e ? e : input.read(block, count);
  });
  while (!result.failure && count > 0) {
    result.bytes += count;
    check(EVP_DigestUpdate(context_.get(), block.data(), count));
    if (count < block.size()) break;
    result.failure = runnel::blocking([&] { return input.read(block, count); });
  }
  if (result.failure) return result;
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  check(EVP_DigestFinal_ex(context_.get(), digest.data(), &size));
  result.hex = to_hex(digest.data(), size);
  return result;
}

}  // namespace runnel_cli
