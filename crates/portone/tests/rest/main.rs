//! The clients of both generations, against a real HTTP server on a free port of this machine.

mod server;
mod v1;
mod v1_calls;
mod v1_payment;
mod v2;
mod v2_payment;
