// SHA-256 of files, by OpenSSL's libcrypto.
#pragma once
#include <openssl/evp.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include <runnel/runnel.hpp>

namespace runnel_cli {

struct file_digest {
  std::string hex;          // 64 lower-case digits; empty: failed
  std::uint64_t bytes = 0;  // read
  runnel::error failure;    // why it could not be read
};

/// Hashes one file after another with one context and one buffer. For one goroutine at a time.
class digester {
 public:
  /// Throws std::runtime_error when libcrypto offers no SHA-256.
  digester();

  /// Reads `path` to its end. Blocks in the kernel while it reads, without holding other
  /// goroutines up.
  file_digest operator()(const std::string& path);

 private:
  static constexpr std::size_t block_size = 128 * 1024;

  struct free_context {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };

  std::unique_ptr<EVP_MD_CTX, free_context> context_;
  std::unique_ptr<unsigned char[]> block_;
};

}  // namespace runnel_cli
