// Writes 100,000 rows to SQLite in batches. Preparing a batch is work for every processor; writing one
// is not, for SQLite has one writer at a time. So a bounded pool prepares, a mutex orders the writers,
// and back-pressure keeps the number of batches in memory small however fast rows come in.
#include <sqlite3.h>
#include <stdlib.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <mutex>
#include <runnel/runnel.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

constexpr int row_count = 100'000;
constexpr int batch_size = 1'000;

struct row {
  int id;
  std::string name;
  std::uint32_t checksum;
};

// A connection to the database. For one goroutine at a time.
class connection {
 public:
  explicit connection(const std::string& path) {
    if (sqlite3_open(path.c_str(), &db_) != SQLITE_OK) fail();
    sqlite3_busy_timeout(db_, 10'000);
    execute("PRAGMA journal_mode = WAL");
    execute("PRAGMA synchronous = NORMAL");
  }
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;
  ~connection() { sqlite3_close(db_); }

  void execute(const char* sql) {
    if (sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) fail();
  }

  // All rows in one transaction.
  void insert(const std::vector<row>& rows) {
    execute("BEGIN IMMEDIATE");
    const statement insert(*this, "INSERT INTO readings (id, name, checksum) VALUES (?, ?, ?)");
    for (const row& r : rows) {
      sqlite3_bind_int(insert.get(), 1, r.id);
      sqlite3_bind_text(insert.get(), 2, r.name.c_str(), -1, SQLITE_STATIC);
      sqlite3_bind_int64(insert.get(), 3, r.checksum);
      if (sqlite3_step(insert.get()) != SQLITE_DONE) fail();
      sqlite3_reset(insert.get());
    }
    execute("COMMIT");
  }

  std::int64_t query(const char* sql) {
    const statement select(*this, sql);
    if (sqlite3_step(select.get()) != SQLITE_ROW) fail();
    return sqlite3_column_int64(select.get(), 0);
  }

 private:
  class statement {
   public:
    statement(connection& c, const char* sql) {
      if (sqlite3_prepare_v2(c.db_, sql, -1, &statement_, nullptr) != SQLITE_OK) c.fail();
    }
    statement(const statement&) = delete;
    statement& operator=(const statement&) = delete;
    ~statement() { sqlite3_finalize(statement_); }
    sqlite3_stmt* get() const { return statement_; }

   private:
    sqlite3_stmt* statement_ = nullptr;
  };

  [[noreturn]] void fail() { throw std::runtime_error(sqlite3_errmsg(db_)); }

  sqlite3* db_ = nullptr;
};

// What makes a row costly: the reading's checksum, computed many times over.
row prepare(int id) {
  std::string name = "sensor-" + std::to_string(id % 250);
  std::uint32_t sum = 2166136261U;
  for (int round = 0; round < 20; ++round) {
    for (const char c : name) sum = (sum ^ static_cast<unsigned char>(c)) * 16777619U;
  }
  return {id, std::move(name), sum ^ static_cast<std::uint32_t>(id)};
}

runnel::error write_rows(const std::string& path) {
  runnel::object_pool<connection> connections([&] { return std::make_unique<connection>(path); });
  runnel::mutex writing;
  runnel::worker_pool pool({.queue = 8, .stop_on_error = true, .name = "batches"});
  pool.run();
  for (int first = 1; first <= row_count; first += batch_size) {
    const runnel::error refused = pool.add_task([&, first] {
      std::vector<row> rows;
      rows.reserve(batch_size);
      for (int id = first; id < first + batch_size; ++id) rows.push_back(prepare(id));
      auto c = connections.get();
      const std::scoped_lock turn(writing);
      runnel::blocking([&] { c->insert(rows); });  // SQLite blocks the thread while it writes
    });
    if (refused) break;
  }
  return pool.wait();
}

int write_and_check(const std::string& path) {
  connection db(path);
  db.execute("CREATE TABLE readings (id INTEGER PRIMARY KEY, name TEXT, checksum INTEGER)");
  const auto start = std::chrono::steady_clock::now();
  if (const runnel::error e = write_rows(path)) {
    std::fprintf(stderr, "cannot write the rows: %s\n", e.message().c_str());
    return 1;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  const std::int64_t rows = db.query("SELECT count(*) FROM readings");
  const std::int64_t names = db.query("SELECT count(DISTINCT name) FROM readings");
  std::printf("%lld rows of %lld sensors in %.2f seconds\n", static_cast<long long>(rows),
              static_cast<long long>(names), took.count());
  return rows == row_count && names == 250 ? 0 : 1;
}

}  // namespace

int main() {
  std::string directory = (std::filesystem::temp_directory_path() / "runnel_db_XXXXXX").string();
  if (::mkdtemp(directory.data()) == nullptr) {
    std::perror("cannot make a directory for the database");
    return 1;
  }
  const int status = runnel::run([&] { return write_and_check(directory + "/readings.db"); });
  std::filesystem::remove_all(directory);
  return status;
}
