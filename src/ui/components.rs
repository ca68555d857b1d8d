//! What pages are built of.

pub mod facts;
pub mod frame;
pub mod mark;
pub mod qr;
