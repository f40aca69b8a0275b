//! The Tokio peer: one program, whose workloads stand in bench/peers/WORKLOAD/tokio.rs.
//! Usage: peer_tokio WORKLOAD [--threads N] [--n N] [--port P] [--opt X].
//! Prints workload<TAB>threads<TAB>value<TAB>unit. A workload checks its answer and panics when it is wrong.
//! One thread is the current-thread runtime, more are the multi-thread one.
//! Tokio's own mpsc channel has one receiver and no capacity 0, so --opt chooses the channel:
//!   (none) tokio mpsc, of capacity 1 where the workload asks for an unbuffered one
//!   flume  flume (rendezvous at capacity 0, many receivers)
//!   ac     async-channel (many receivers, capacity at least 1), in the pipes
mod common;
mod pipe;
mod pool;

#[path = "../after_select/tokio.rs"]
mod after_select;
#[path = "../buf_1p1c/tokio.rs"]
mod buf_1p1c;
#[path = "../buf_4p4c/tokio.rs"]
mod buf_4p4c;
#[path = "../busy_1p1c/tokio.rs"]
mod busy_1p1c;
#[path = "../busy_pool/tokio.rs"]
mod busy_pool;
#[path = "../echo/tokio.rs"]
mod echo;
#[path = "../fib/tokio.rs"]
mod fib;
#[path = "../mutex_8/tokio.rs"]
mod mutex_8;
#[path = "../mutex_free/tokio.rs"]
mod mutex_free;
#[path = "../parked_mem/tokio.rs"]
mod parked_mem;
#[path = "../pingpong/tokio.rs"]
mod pingpong;
#[path = "../pool_cap128/tokio.rs"]
mod pool_cap128;
#[path = "../ring/tokio.rs"]
mod ring;
#[path = "../select4/tokio.rs"]
mod select4;
#[path = "../select_default/tokio.rs"]
mod select_default;
#[path = "../skynet/tokio.rs"]
mod skynet;
#[path = "../sleepers/tokio.rs"]
mod sleepers;
#[path = "../spawn/tokio.rs"]
mod spawn;
#[path = "../thread_pingpong/tokio.rs"]
mod thread_pingpong;
#[path = "../timer_stop/tokio.rs"]
mod timer_stop;
#[path = "../unbuf_1p1c/tokio.rs"]
mod unbuf_1p1c;
#[path = "../wg_pool/tokio.rs"]
mod wg_pool;
#[path = "../yield/tokio.rs"]
mod yield_now;

use common::Args;

async fn run(a: Args) {
    match a.workload.as_str() {
        "after_select" => after_select::run(&a).await,
        "buf_1p1c" => buf_1p1c::run(&a).await,
        "buf_4p4c" => buf_4p4c::run(&a).await,
        "busy_1p1c" => busy_1p1c::run(&a).await,
        "busy_pool" => busy_pool::run(&a).await,
        "echo" => echo::run(&a).await,
        "fib" => fib::run(&a).await,
        "mutex_8" => mutex_8::run(&a).await,
        "mutex_free" => mutex_free::run(&a).await,
        "parked_mem" => parked_mem::run(&a).await,
        "pingpong" => pingpong::run(&a).await,
        "pool_cap128" => pool_cap128::run(&a).await,
        "ring" => ring::run(&a).await,
        "select4" => select4::run(&a).await,
        "select_default" => select_default::run(&a).await,
        "skynet" => skynet::run(&a).await,
        "sleepers" => sleepers::run(&a).await,
        "spawn" => spawn::run(&a).await,
        "thread_pingpong" => thread_pingpong::run(&a).await,
        "timer_stop" => timer_stop::run(&a).await,
        "unbuf_1p1c" => unbuf_1p1c::run(&a).await,
        "wg_pool" => wg_pool::run(&a).await,
        "yield" => yield_now::run(&a).await,
        _ => {
            eprintln!("n/a");
            std::process::exit(3);
        }
    }
}

fn main() {
    let v: Vec<String> = std::env::args().collect();
    if v.len() < 2 {
        eprintln!("usage: peer_tokio WORKLOAD [--threads N] [--n N] [--port P] [--opt X]");
        std::process::exit(2);
    }
    let mut a = Args {
        workload: v[1].clone(),
        threads: 1,
        n: 0,
        port: 7000,
        opt: String::new(),
    };
    for kv in v[2..].chunks(2) {
        match kv[0].as_str() {
            "--threads" => a.threads = kv[1].parse().unwrap(),
            "--n" => a.n = kv[1].parse().unwrap(),
            "--port" => a.port = kv[1].parse().unwrap(),
            "--opt" => a.opt = kv[1].clone(),
            o => panic!("unknown option {}", o),
        }
    }
    let rt = if a.threads == 1 {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    } else {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(a.threads)
            .enable_all()
            .build()
            .unwrap()
    };
    rt.block_on(async move { tokio::spawn(run(a)).await.unwrap() });
    std::process::exit(0);
}
