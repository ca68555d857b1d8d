//! What wanryo promises, proven on the shipped code.

pub mod model;
pub mod processes;
pub mod report;
pub mod simulator;
