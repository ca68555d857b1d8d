//! One module per page.

pub mod complete;
pub mod no_page;
pub mod office;
pub mod pay;
pub(super) mod refusal;
pub(super) mod result;
pub mod status;
