//! What the Tokio workloads share: arguments, output, clocks, a wait group and work to do.
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Notify;

#[derive(Clone)]
pub struct Args {
    pub workload: String,
    pub threads: usize,
    pub n: usize,
    pub port: u16,
    pub opt: String,
}

impl Args {
    pub fn count(&self, def: usize) -> usize {
        if self.n > 0 {
            self.n
        } else {
            def
        }
    }
    pub fn emit(&self, name: &str, value: f64, unit: &str) {
        let value = if value >= 100.0 {
            format!("{:.1}", value)
        } else {
            format!("{:.4}", value)
        };
        println!("{}\t{}\t{}\t{}", name, self.threads, value, unit);
    }
    pub fn per_op(&self, t0: Instant, ops: usize) {
        self.emit(
            &self.workload,
            t0.elapsed().as_nanos() as f64 / ops as f64,
            "ns",
        );
    }
}

pub fn rss_bytes() -> f64 {
    let s = std::fs::read_to_string("/proc/self/status").unwrap();
    let l = s.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
    l.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 1024.0
}

pub fn cpu_seconds() -> f64 {
    let mut u: libc::rusage = unsafe { std::mem::zeroed() };
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut u) };
    let s = |t: libc::timeval| t.tv_sec as f64 + t.tv_usec as f64 / 1e6;
    s(u.ru_utime) + s(u.ru_stime)
}

/// Counts down to zero, then wakes the one waiter.
#[derive(Clone)]
pub struct WaitGroup(Arc<(AtomicUsize, Notify)>);

impl WaitGroup {
    pub fn new(n: usize) -> Self {
        WaitGroup(Arc::new((AtomicUsize::new(n), Notify::new())))
    }
    pub fn done(&self) {
        if self.0 .0.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0 .1.notify_one();
        }
    }
    pub async fn wait(&self) {
        self.0 .1.notified().await
    }
}

const ROUNDS_PER_US: usize = 800; // of the chain in busy: about a microsecond at 4 GHz, the same in every peer

/// Work that neither memory nor the runtime takes part in: a chain of multiplications that no
/// compiler can shorten.
#[inline(never)]
pub fn busy(mut x: u64, microseconds: usize) -> u64 {
    for _ in 0..microseconds * ROUNDS_PER_US {
        x = (x ^ (x >> 29))
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
    }
    x
}
