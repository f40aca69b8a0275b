// A consumer of messages that are delivered at least once: a broker hands them out, few enough at a
// time, and wants each one acknowledged, or gives it out again. A pool works on them; what keeps failing
// goes to a dead-letter channel; a shutdown lets the messages under way finish.
#include <atomic>
#include <cstdio>
#include <runnel/runnel.hpp>
#include <string>
#include <utility>

namespace {

struct message {
  int id = 0;
  int delivery = 1;  // the first, the second, ...
};

// Stands for RabbitMQ, Kafka or the like. At most `prefetch` messages are out at a time.
class broker {
 public:
  broker(int count, int prefetch) : places_(prefetch), deliveries_(prefetch) {
    runnel::go([this, count] {
      for (int id = 1; id <= count; ++id) {
        places_.send();
        open_.add(1);
        deliveries_.send({id});
      }
      open_.wait();
      deliveries_.close();
      ended_.close();
    });
  }
  ~broker() { ended_.recv(); }

  runnel::recv_chan<message> deliveries() const { return deliveries_; }

  void acknowledge(const message&) {
    places_.recv();
    open_.done();
  }
  // Delivered again. There is room: the message still has its place.
  void refuse(const message& m) { deliveries_.send({m.id, m.delivery + 1}); }

 private:
  runnel::chan<void> places_;
  runnel::chan<message> deliveries_;
  runnel::chan<void> ended_;
  runnel::wait_group open_;  // not acknowledged yet
};

// Every hundredth message is broken; of the others, every seventh works only the second time.
runnel::error handle(const message& m) {
  if (m.id % 100 == 0) return "message " + std::to_string(m.id) + " makes no sense";
  if (m.id % 7 == 0 && m.delivery == 1) return "the database is busy";
  return nullptr;
}

struct outcome {
  int processed = 0;
  int redelivered = 0;
  int dead = 0;
};

outcome consume(broker& source) {
  constexpr int most_deliveries = 3;
  std::atomic<int> processed = 0;
  std::atomic<int> redelivered = 0;
  runnel::chan<std::pair<message, runnel::error>> dead_letters;

  runnel::worker_pool pool({.size = 4, .queue = 4, .name = "consumers"});
  pool.run();
  runnel::go([&, dead_letters] {
    for (const message& m : source.deliveries()) {
      pool.add_task([&, m] {
        const runnel::error failure = handle(m);
        if (failure && m.delivery < most_deliveries) {
          ++redelivered;
          source.refuse(m);
          return;
        }
        if (failure) {
          dead_letters.send({m, failure});
        } else {
          ++processed;
        }
        source.acknowledge(m);
      });
    }
    pool.wait();
    dead_letters.close();
  });

  int dead = 0;
  for (const auto& [m, why] : dead_letters) {
    ++dead;
    if (m.id == 100)
      std::printf("given up after %d deliveries: %s\n", m.delivery, why.message().c_str());
  }
  return {processed, redelivered, dead};
}

}  // namespace

int main() {
  return runnel::run([] {
    constexpr int messages = 1'000;
    broker source(messages, 16);
    const outcome o = consume(source);
    std::printf("%d processed, %d delivered again, %d given up\n", o.processed, o.redelivered,
                o.dead);
    return o.processed + o.dead == messages && o.dead == 10 ? 0 : 1;
  });
}
