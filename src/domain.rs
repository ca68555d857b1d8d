//! What a payment is and what may become of it. Pure: no I/O, no clock, no PortOne types, nothing of the web.

pub mod access;
pub mod attention;
pub mod audit;
pub mod bank;
pub mod confirmation;
pub mod decision;
pub mod delivery;
pub mod event;
pub mod evidence;
pub mod history;
pub mod ids;
pub mod look;
pub mod method;
pub mod money;
pub mod note;
pub mod one_time_code;
pub mod order;
pub mod outcome;
pub mod pace;
pub mod refund;
pub mod schedule;
pub mod sweep;
pub mod target;
pub mod text;
pub mod transaction;
pub mod verification;
