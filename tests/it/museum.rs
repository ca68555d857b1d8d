//! The museum: payments as they were stolen elsewhere, each tried here.
//!
//! Every exhibit is a published hole of another payment page, plug-in or library, or a defect of the samples that shops copy.
//! Its test does what the attacker did, by HTTP, against the whole app on a real database beside a real sandbox, and shows that
//! nothing comes of it. It is named by what is refused, and says in its first line where it happened and what happened there.
//!
//! What is larger than one attack is proven elsewhere, and belongs to the exhibit all the same ([`ELSEWHERE`]):
//!
//! | hole | proven further by |
//! | --- | --- |
//! | a gateway's record that is about another transaction, order, amount, currency, channel or store | `payments::each_failing_check_holds_and_no_page_says_which`, `payments_v2::each_failing_check_holds_and_no_page_says_which` |
//! | a webhook with a signature that is missing, doubled, old, early or for another body | `webhooks_v2::what_is_not_signed_well_is_refused_and_moves_nothing` |
//! | a flood about one order, its calls to PortOne counted by the minute | `budgets::a_flood_of_forged_ids_hides_no_payment`, `budgets::a_flood_costs_other_orders_nothing` |
//! | the same click on a refund, many times, through two servers | `refunds::a_click_that_arrives_many_times_gives_back_once` |
//! | the policy for what fails a check, aimed at somebody else's payment | `refunds/policy::the_policy_never_touches_what_belongs_to_something_else` |
//! | secrets and people in the log | `canaries::nothing_is_told_where_it_may_not_be` |
//! | half a request, two lengths, header bombs | `edge::requests_without_one_meaning_are_refused`, `edge::header_bombs_go_off_outside` |
//! | an address for events that leads into the shop's own network | `events/targets::a_live_server_sends_nothing_to_itself_or_into_its_network` |
//! | a page of the back office opened, or its form sent, by who may not | `roles::every_door_is_closed_to_who_may_not_and_open_to_who_may` |

mod callbacks;
mod doors;
mod pages;
mod replays;
mod samples;
mod settings;
mod tools;
mod upstream;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// What was stolen, by its public name, and the exhibit.
const EXHIBITS: [(&str, &str); 56] = [
    (
        "CVE-2026-2890",
        "replays::a_small_payment_of_ones_own_does_not_pay_a_large_order",
    ),
    (
        "CVE-2026-111957",
        "replays::a_payments_id_is_not_taken_for_a_second_order",
    ),
    (
        "CVE-2026-87843",
        "pages::a_stranger_on_the_return_page_changes_nothing_and_learns_nobody",
    ),
    (
        "CVE-2026-103308",
        "settings::an_empty_secret_stops_the_start",
    ),
    (
        "CVE-2025-3247",
        "replays::a_used_payment_is_still_used_after_a_restart",
    ),
    (
        "CVE-2026-9189",
        "replays::a_genuine_payment_of_one_won_less_pays_nothing",
    ),
    (
        "CVE-2026-4987",
        "replays::an_order_number_of_nothing_is_no_way_around_the_checks",
    ),
    (
        "CVE-2026-1782",
        "pages::an_amount_in_the_request_is_no_amount",
    ),
    (
        "CVE-2026-2888",
        "replays::the_price_of_an_order_is_not_posted_anew",
    ),
    (
        "GHSA-wm63-7627-ch33",
        "replays::the_same_number_in_another_currency_pays_nothing",
    ),
    (
        "CVE-2026-92400",
        "settings::test_money_buys_nothing_where_real_money_is_asked_for",
    ),
    (
        "CVE-2026-110285",
        "callbacks::without_a_webhook_secret_no_webhook_is_believed",
    ),
    (
        "CVE-2026-41432",
        "callbacks::a_signature_with_an_empty_key_is_no_signature",
    ),
    (
        "CVE-2026-41432",
        "settings::a_short_webhook_secret_stops_the_start",
    ),
    (
        "CVE-2026-103298",
        "settings::an_empty_secret_beside_a_good_one_stops_the_start",
    ),
    ("CVE-2026-2428", "settings::no_setting_switches_a_check_off"),
    ("CVE-2026-87978", "settings::no_door_leads_past_the_checks"),
    (
        "GHSA-4g53-vp7q-gfjv",
        "callbacks::the_verdict_on_a_signature_is_waited_for",
    ),
    (
        "CVE-2026-0692",
        "callbacks::an_address_in_a_header_is_not_an_address",
    ),
    (
        "CVE-2026-0656",
        "callbacks::a_forged_callback_only_makes_us_look",
    ),
    ("CVE-2026-16038", "doors::no_door_sets_an_order_to_paid"),
    (
        "CVE-2026-82844",
        "doors::what_the_browser_heard_is_not_a_fact",
    ),
    (
        "CVE-2026-16947",
        "upstream::an_id_that_is_a_path_never_reaches_portone",
    ),
    (
        "CVE-2026-76842",
        "upstream::an_order_number_stays_one_segment_of_the_path",
    ),
    (
        "CVE-2026-13603",
        "upstream::our_credentials_go_to_portone_alone",
    ),
    (
        "CVE-2026-74991",
        "doors::a_stranger_gives_nobodys_money_back",
    ),
    (
        "CVE-2026-7862",
        "doors::money_goes_to_an_account_only_by_the_shops_key",
    ),
    (
        "CVE-2026-103381",
        "callbacks::the_status_that_a_message_claims_is_not_read",
    ),
    (
        "CVE-2026-85642",
        "callbacks::a_flood_of_forgeries_does_not_keep_a_buyer_out",
    ),
    (
        "CVE-2026-80339",
        "pages::nothing_of_a_person_is_in_the_markup",
    ),
    (
        "CVE-2026-93370",
        "pages::nothing_of_a_person_is_in_the_markup",
    ),
    (
        "CVE-2025-14073",
        "pages::nothing_of_a_person_is_in_the_markup",
    ),
    (
        "CVE-2025-59136",
        "pages::unknown_and_foreign_ids_get_the_very_same_answer",
    ),
    (
        "CVE-2021-39308",
        "pages::a_gateways_message_is_never_markup",
    ),
    (
        "CVE-2023-6786",
        "pages::nobody_is_sent_where_a_request_says",
    ),
    (
        "CVE-2026-104973",
        "upstream::no_address_of_a_strangers_is_ever_called",
    ),
    (
        "CVE-2026-30242",
        "upstream::no_address_of_a_strangers_is_ever_called",
    ),
    (
        "CVE-2026-47741",
        "replays::a_crowd_at_the_same_moment_spends_a_payment_once",
    ),
    (
        "CVE-2026-32398",
        "replays::a_crowd_at_the_same_moment_spends_a_payment_once",
    ),
    (
        "LIT-Protocol/chipotle",
        "replays::two_processes_do_not_accept_a_payment_twice",
    ),
    (
        "CVE-2026-119038",
        "pages::the_way_back_is_no_proof_of_who_comes",
    ),
    (
        "CVE-2025-14078",
        "pages::the_way_back_is_no_proof_of_who_comes",
    ),
    (
        "CVE-2026-0679",
        "pages::the_way_back_is_no_proof_of_who_comes",
    ),
    (
        "portone-io/portone-sample",
        "samples::the_first_completion_says_paid_and_errors_have_their_status",
    ),
    (
        "portone-io/portone-sample",
        "samples::an_api_that_does_not_answer_fails_no_payment",
    ),
    (
        "portone-io/portone-sample",
        "samples::a_payment_is_bound_to_its_order_and_not_to_what_is_sold",
    ),
    (
        "SFCC cartridge",
        "samples::the_right_amount_that_nobody_paid_is_not_paid",
    ),
    (
        "SFCC cartridge",
        "samples::a_webhook_that_says_paid_of_what_is_not_paid_is_not_believed",
    ),
    (
        "WooCommerce plug-in",
        "samples::no_secret_and_nothing_unchecked_is_written_to_the_database",
    ),
    (
        "WooCommerce plug-in",
        "samples::a_paid_order_does_not_wait_for_a_deposit_again",
    ),
    (
        "samchon/payments",
        "samples::what_does_not_match_is_neither_taken_nor_given_back_by_itself",
    ),
    (
        "tosspayments/tosspayments-sample",
        "samples::a_page_takes_neither_amount_nor_words_from_its_address",
    ),
    (
        "stripe-samples/accept-a-payment",
        "samples::success_is_said_of_paid_alone",
    ),
    (
        "Adyen",
        "samples::the_address_of_a_page_does_not_decide_what_it_says",
    ),
    (
        "btcpayserver/btcpayserver",
        "samples::every_state_is_headed_by_its_own_words_in_both_languages",
    ),
    ("hyperswitch", "samples::what_a_page_shows_is_also_said"),
];

/// Tests in other rooms that the module's table names.
const ELSEWHERE: [&str; 12] = [
    "payments::each_failing_check_holds_and_no_page_says_which",
    "payments_v2::each_failing_check_holds_and_no_page_says_which",
    "webhooks_v2::what_is_not_signed_well_is_refused_and_moves_nothing",
    "budgets::a_flood_of_forged_ids_hides_no_payment",
    "budgets::a_flood_costs_other_orders_nothing",
    "refunds::a_click_that_arrives_many_times_gives_back_once",
    "refunds/policy::the_policy_never_touches_what_belongs_to_something_else",
    "canaries::nothing_is_told_where_it_may_not_be",
    "edge::requests_without_one_meaning_are_refused",
    "edge::header_bombs_go_off_outside",
    "events/targets::a_live_server_sends_nothing_to_itself_or_into_its_network",
    "roles::every_door_is_closed_to_who_may_not_and_open_to_who_may",
];

fn read(path: &str) -> String {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    fs::read_to_string(tests.join(path)).unwrap()
}

/// The lines of documentation right above a test, as one text.
fn documentation(text: &str, name: &str) -> Option<String> {
    let (before, _) = text.split_once(&format!("fn {name}("))?;
    let mut lines: Vec<&str> = before
        .lines()
        .rev()
        .skip(1)
        .map(str::trim)
        .skip_while(|line| line.starts_with("#["))
        .take_while(|line| line.starts_with("///"))
        .map(|line| line.trim_start_matches('/').trim())
        .collect();
    lines.reverse();
    Some(lines.join(" "))
}

/// Whatever is renamed, moved or taken away is missed here.
#[test]
fn every_exhibit_is_there_and_says_where_it_is_from() {
    for (source, exhibit) in EXHIBITS {
        let (room, name) = exhibit.split_once("::").unwrap();
        let told = documentation(&read(&format!("museum/{room}.rs")), name);
        let told = told.unwrap_or_else(|| panic!("{exhibit} is gone"));
        assert!(
            told.contains(source),
            "{exhibit} does not name {source}: {told}"
        );
    }
    let sources: BTreeSet<_> = EXHIBITS.iter().map(|(source, _)| source).collect();
    assert!(sources.len() >= 48, "{}", sources.len());
    let doc = read("museum.rs");
    for test in ELSEWHERE {
        let (room, name) = test.split_once("::").unwrap();
        assert!(
            read(&format!("{room}.rs")).contains(&format!("fn {name}(")),
            "{test} is gone"
        );
        assert!(
            doc.contains(&format!("`{test}`")),
            "{test} is not in the table"
        );
    }
    let in_table: BTreeSet<&str> = doc
        .lines()
        .filter(|line| line.starts_with("//! | "))
        .flat_map(|line| line.split('`').skip(1).step_by(2))
        .collect();
    assert_eq!(
        in_table,
        ELSEWHERE.into_iter().collect(),
        "the table and its list"
    );
}
