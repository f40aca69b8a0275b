// Draws the Mandelbrot set and blurs its edges, a band of lines at a time on every processor, and
// writes the picture as a PNG file.
//
//   image_filter [FILE.png]
#include <png.h>

#include <algorithm>
#include <chrono>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <runnel/runnel.hpp>
#include <vector>

namespace {

constexpr int width = 960;
constexpr int height = 640;
constexpr int band = 16;  // lines a task works on

class image {
 public:
  std::uint8_t& at(int x, int y) { return pixels_[index(x, y)]; }
  std::uint8_t at(int x, int y) const { return pixels_[index(x, y)]; }
  const std::uint8_t* data() const { return pixels_.data(); }

 private:
  static std::size_t index(int x, int y) {
    return static_cast<std::size_t>(y) * width + static_cast<std::size_t>(x);
  }
  std::vector<std::uint8_t> pixels_ = std::vector<std::uint8_t>(std::size_t{width} * height);
};

std::uint8_t mandelbrot(int x, int y) {
  const std::complex<double> c(-2.2 + 3.2 * x / width, -1.067 + 2.133 * y / height);
  std::complex<double> z;
  int n = 0;
  while (n < 255 && std::norm(z) < 4) {
    z = z * z + c;
    ++n;
  }
  return static_cast<std::uint8_t>(n);
}

// The mean of the square of 5 by 5 around a pixel.
std::uint8_t blurred(const image& in, int x, int y) {
  int sum = 0;
  for (int dy = -2; dy <= 2; ++dy) {
    for (int dx = -2; dx <= 2; ++dx) {
      sum += in.at(std::clamp(x + dx, 0, width - 1), std::clamp(y + dy, 0, height - 1));
    }
  }
  return static_cast<std::uint8_t>(sum / 25);
}

// Sets every pixel of `out` to f(x, y). Bands are tasks of the pool; returns when all are done, so
// the next pass may read what this one wrote.
template <class F>
void for_each_pixel(runnel::worker_pool& pool, image& out, F f) {
  runnel::wait_group pass;
  for (int first = 0; first < height; first += band) {
    pass.add(1);
    const runnel::error refused = pool.add_task([&, first] {
      for (int y = first; y < std::min(first + band, height); ++y) {
        for (int x = 0; x < width; ++x) out.at(x, y) = f(x, y);
      }
      pass.done();
    });
    if (refused) pass.done();
  }
  pass.wait();
}

bool write_png(const char* path, const image& picture) {
  png_image header;
  std::memset(&header, 0, sizeof header);
  header.version = PNG_IMAGE_VERSION;
  header.width = width;
  header.height = height;
  header.format = PNG_FORMAT_GRAY;
  if (png_image_write_to_file(&header, path, 0, picture.data(), width, nullptr) != 0) return true;
  std::fprintf(stderr, "%s: %s\n", path, header.message);
  return false;
}

int draw(const char* path) {
  const auto start = std::chrono::steady_clock::now();
  image set;
  image picture;
  runnel::worker_pool pool({.queue = height / band, .name = "image"});
  pool.run();
  for_each_pixel(pool, set, mandelbrot);
  for_each_pixel(pool, picture, [&](int x, int y) { return blurred(set, x, y); });
  const runnel::error failure = pool.wait();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  if (failure || picture.at(width * 11 / 16, height / 2) != 255) return 1;  // inside the set
  if (!runnel::blocking([&] { return write_png(path, picture); })) return 1;
  std::printf("%s: %d x %d pixels in %.2f seconds on %d processors\n", path, width, height,
              took.count(), runnel::max_procs());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const char* path = argc > 1 ? argv[1] : "mandelbrot.png";
  return runnel::run([=] { return draw(path); });
}
