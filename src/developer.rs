//! For developers of shops: `wanryo listen` brings events to a server that only their machine can reach, `wanryo trigger` makes
//! them happen, with the sandbox as PortOne.

pub(crate) mod buyer;
pub mod listen;
pub mod trigger;
