//! The whole app on real databases.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in tests a panic is the report"
)]

mod app;
mod attention;
mod audit;
mod backlog;
mod browser;
mod budgets;
mod by_hand;
mod canaries;
mod clocks;
mod confirm;
mod crash;
mod deadlines;
mod description;
mod developer;
mod disk;
mod doctor;
mod dropped;
mod edge;
mod events;
mod examples;
mod faults;
mod headers;
mod imports;
mod live;
mod metrics;
mod migrations;
mod museum;
mod named_requests;
mod notes;
mod office;
mod operations;
mod order_export;
mod order_list;
mod overview;
mod pages;
mod payments;
mod payments_v2;
mod people;
mod permutations;
mod process;
mod program;
mod races;
mod refunds;
mod refusals;
mod retention;
mod roles;
mod scenarios;
mod second_factor;
mod shop;
mod sign_in;
mod store;
mod store_refunds;
mod support;
mod sweep;
mod webhooks_v2;
mod worker;
mod world;
