//! What the use cases need from outside: traits that say what an implementation must do, and nothing of how.

pub mod attention;
pub mod audit;
pub mod clock;
pub mod deliveries;
pub mod entropy;
pub mod gateway;
pub mod notes;
pub mod observer;
pub mod operations;
pub mod overview;
pub mod requests;
pub mod retention;
pub mod store;
