//! Integers through an unbuffered channel (capacity 1 for Tokio's own).
use crate::common::*;

pub async fn run(a: &Args) {
    crate::pipe::pipe(a, 0, 1, 1).await
}
