//! The one result page, for whoever comes back and whoever looks again.

use http::StatusCode;
use leptos::prelude::*;
use leptos_meta::Meta;

use crate::domain::order::Mode;
use crate::domain::outcome::Outcome;
use crate::domain::transaction::VirtualAccount;
use crate::i18n::{Locale, datetime, institution, money};
use crate::islands::countdown::TimeLeftWords;
use crate::islands::{CopyButton, Countdown, StatusWatch};
use crate::service::completion::{Arrival, CompletionView, PaymentFacts};
use crate::ui::components::facts::{Fact, FactKind, Facts};
use crate::ui::components::frame::{Frame, Surroundings};
use crate::ui::components::mark::StateMark;
use crate::ui::components::qr::Qr;
use crate::ui::respond::{respond, retry_after};
use crate::ui::say::{Said, Step, keeps_looking, say, say_our_error, speaks_of_a_payment};

/// How often the page of an issued account looks again without scripts: who has just sent the money is to see it within a quarter
/// of a minute, and who still reads the number is not to be disturbed at every turn.
const ACCOUNT_REFRESH_SECONDS: u16 = 12;

/// The page of a view.
pub(in crate::ui) fn result_page(
    around: &Surroundings,
    view: &CompletionView,
    arrival: Arrival,
) -> AnyView {
    respond(
        StatusCode::from_u16(view.outcome.http_status())
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
    );
    retry_after(view.outcome);
    let payment = view.payment.as_ref();
    let locale = around
        .visitor
        .locale(payment.and_then(|payment| payment.locale.as_deref()));
    let said = say(view, locale, arrival);
    page(around, view, &said, locale, arrival)
}

/// The page for a fault of this server. It claims nothing about the payment.
pub(in crate::ui) fn our_error_page(around: &Surroundings) -> AnyView {
    respond(StatusCode::SERVICE_UNAVAILABLE);
    retry_after(Outcome::Unconfirmed);
    let locale = around.visitor.locale(None);
    let view = CompletionView {
        outcome: Outcome::Unconfirmed,
        payment: None,
        claimed_failure: false,
        retry_url: None,
        return_url: around.site.shop_url.clone(),
        checked_at: None,
    };
    page(around, &view, &say_our_error(locale), locale, Arrival::Link)
}

fn page(
    around: &Surroundings,
    view: &CompletionView,
    said: &Said,
    locale: Locale,
    arrival: Arrival,
) -> AnyView {
    let words = locale.messages();
    let payment = view.payment.as_ref();
    let outcome = view.outcome;
    let reason = outcome.reason().map(|reason| reason.as_str());
    // Of a payment that is held the page never says which check it failed, and this is one.
    let test = outcome != Outcome::Held
        && payment
            .and_then(|payment| payment.transaction.as_ref())
            .is_some_and(|transaction| transaction.test == Some(true));
    let same_page = payment.map(|payment| status_path(around, payment));
    let account = payment
        .and_then(|payment| payment.transaction.as_ref())
        .and_then(|transaction| transaction.virtual_account.clone());
    let amount = said
        .amount
        .map(|amount| view! { <p class="amount">{money(locale, amount)}</p> });
    let warning = said
        .do_not_pay_again
        .then(|| view! { <p class="warning"><strong>{words.do_not_pay_again}</strong></p> });
    let next = said
        .next
        .iter()
        .map(|sentence| view! { <p class="next">{*sentence}</p> })
        .collect_view();
    let heading = said.heading;
    let sentence = said.money.clone();
    let why = said.why.map(|why| view! { <p class="why">{why}</p> });
    let gateway_words = said
        .gateway_words
        .clone()
        .map(|words| view! { <p class="why" lang="ko"><bdi>{words}</bdi></p> });
    let mark = said.mark;
    let watch = payment
        .filter(|_| keeps_looking(view))
        .map(|payment| watch(around, payment, view, locale));
    let live = watch.is_some();
    let actions = actions(around, view, said, locale);
    let panel = payment
        .zip(account)
        .map(|(payment, account)| account_panel(around, payment, account, said, locale));
    let elsewhere = payment
        .filter(|_| outcome == Outcome::VirtualAccountIssued)
        .map(|payment| elsewhere(payment, locale));
    let facts = payment
        .map(|payment| facts(payment, view, locale))
        .unwrap_or_default();
    let reference = payment.map(|payment| reference(around, payment, locale, arrival));
    view! {
        <Frame around=around.clone() locale title=heading test same_page live>
            <main class="slip" data-outcome=outcome.as_str() data-reason=reason>
                <section class="verdict">
                    <StateMark mark />
                    // Focused, so that it is the first thing a screen reader says.
                    <h1 tabindex="-1" autofocus>{heading}</h1>
                    {amount}
                    <p class="money">{sentence}</p>
                    {why}
                    {gateway_words}
                    {warning}
                    {next}
                </section>
                {panel}
                {watch}
                {actions}
                <Facts name=words.facts facts />
                {reference}
                {elsewhere}
            </main>
        </Frame>
    }
    .into_any()
}

/// The address where this page is found again as a path, in the language of the link.
fn status_path(around: &Surroundings, payment: &PaymentFacts) -> String {
    let plain = Surroundings {
        visitor: crate::ui::context::Visitor {
            asked: None,
            ..around.visitor
        },
        ..around.clone()
    };
    plain.path(&payment.status_url)
}

/// Keeps the page true while the payment may still move: an island where there are scripts, a refresh where there are none.
fn watch(
    around: &Surroundings,
    payment: &PaymentFacts,
    view: &CompletionView,
    locale: Locale,
) -> AnyView {
    let words = locale.messages();
    let address = around.path(&payment.status_url);
    let seconds = view
        .outcome
        .retry_after_seconds()
        .unwrap_or(ACCOUNT_REFRESH_SECONDS);
    let refresh = format!("{seconds};url={address}");
    let checked = view
        .checked_at
        .map(|at| view! { <p class="checked">{(words.checked_at)(&datetime(locale, at))}</p> });
    if around.scripts.is_none() {
        return view! {
            <Meta http_equiv="refresh" content=refresh />
            <div class="watching"><p class="watch">{words.watching}</p> {checked}</div>
        }
        .into_any();
    }
    view! {
        // Browsers obey a refresh wherever it stands; the head cannot hold one that scripts switch off.
        <noscript><meta http-equiv="refresh" content=refresh /></noscript>
        <div class="watching">
            <StatusWatch
                address
                events=around.path(&beneath(&payment.status_url, "events"))
                outcome=view.outcome.as_str().to_owned()
                watching=words.watching.to_owned()
                changed=words.watch_changed.to_owned()
                ended=words.watch_ended.to_owned()
            />
            {checked}
        </div>
    }
    .into_any()
}

struct Action {
    label: &'static str,
    href: String,
    primary: bool,
}

/// The buttons. The first that there is an address for is the main one.
fn actions(around: &Surroundings, view: &CompletionView, said: &Said, locale: Locale) -> AnyView {
    let words = locale.messages();
    let payment = view.payment.as_ref();
    let retry = view.retry_url.as_deref().map(|url| around.path(url));
    let check = payment.map(|payment| around.path(&payment.status_url));
    let back = view.return_url.clone();
    let help = around.site.support_url.clone();
    let receipt = payment
        .filter(|_| speaks_of_a_payment(view.outcome))
        .and_then(|payment| payment.transaction.as_ref()?.receipt_url.clone())
        .filter(|url| may_link_to_receipt(url, around.site.mode));
    let wanted = match said.step {
        Step::Retry => vec![(words.retry, retry), (words.back_to_shop, back)],
        Step::Resume => vec![
            (words.resume, retry),
            (words.check_now, check),
            (words.back_to_shop, back),
        ],
        Step::CheckNow => vec![(words.check_now, check), (words.back_to_shop, back)],
        Step::BackToShop => vec![(words.back_to_shop, back), (words.receipt, receipt)],
        Step::Help => vec![
            (words.help, help),
            (words.back_to_shop, back),
            (words.receipt, receipt),
        ],
    };
    let actions = wanted
        .into_iter()
        .filter_map(|(label, href)| Some((label, href?)))
        .enumerate();
    // Beside an account to deposit to, looking again is not the thing to do.
    let has_main = view.outcome != Outcome::VirtualAccountIssued;
    let actions: Vec<Action> = actions
        .map(|(at, (label, href))| Action {
            label,
            href,
            primary: has_main && at == 0,
        })
        .collect();
    if actions.is_empty() {
        return ().into_any();
    }
    let links = actions.into_iter().map(
        |Action {
             label,
             href,
             primary,
         }| {
            let class = if primary {
                "button button-primary"
            } else {
                "button"
            };
            view! { <a class=class href=href>{label}</a> }
        },
    );
    view! { <div class="actions">{links.collect_view()}</div> }.into_any()
}

/// A receipt's address comes from a gateway. Anything but a web page behind it would be a trap.
fn may_link_to_receipt(url: &str, mode: Mode) -> bool {
    match url::Url::parse(url) {
        Ok(url) => url.scheme() == "https" || (url.scheme() == "http" && mode == Mode::Test),
        Err(_) => false,
    }
}

fn account_panel(
    around: &Surroundings,
    payment: &PaymentFacts,
    account: VirtualAccount,
    said: &Said,
    locale: Locale,
) -> AnyView {
    let words = locale.messages();
    let deadline = account.expires_at.map(|at| {
        let left = (at - payment.said_at).get_seconds().max(0);
        let seconds = u32::try_from(left).unwrap_or(u32::MAX);
        view! {
            <div>
                <dt>{words.deadline}</dt>
                <dd class="figures">{datetime(locale, at)}<Countdown seconds words=time_left(locale) /></dd>
            </div>
        }
    });
    let calendar = account.expires_at.map(|_| {
        let href = around.path(&beneath(&payment.status_url, "deadline.ics"));
        view! { <a class="button calendar" href=href download="deadline.ics">{words.save_deadline}</a> }
    });
    let bank = account
        .named_bank()
        .map(|bank| institution(locale, bank).to_owned())
        .map(|bank| view! { <div><dt>{words.bank}</dt><dd><bdi>{bank}</bdi></dd></div> });
    let holder = account.holder.filter(|holder| !holder.trim().is_empty());
    let holder = holder
        .map(|holder| view! { <div><dt>{words.holder}</dt><dd><bdi>{holder}</bdi></dd></div> });
    let amount = said.amount.map(|amount| view! { <div><dt>{words.amount_to_deposit}</dt><dd class="figures">{money(locale, amount)}</dd></div> });
    let number = account.account_number;
    view! {
        <section class="card account" aria-label=words.account_panel>
            <dl class="facts">
                {bank}
                <div>
                    <dt>{words.account_number}</dt>
                    <dd class="id account-number"><bdi>{number.clone()}</bdi></dd>
                </div>
                {holder}
                {amount}
                {deadline}
            </dl>
            <p class="note">{words.account_exact}</p>
            <CopyButton
                text=number
                label=words.copy_account_number.to_owned()
                done=words.copied.to_owned()
                refused=words.copy_refused.to_owned()
            />
            {calendar}
        </section>
    }
    .into_any()
}

/// The words of the countdown, for the browser to take along.
fn time_left(locale: Locale) -> TimeLeftWords {
    let words = &locale.messages().time_left;
    TimeLeftWords {
        around: words.around.map(str::to_owned),
        between: words.between.to_owned(),
        days: words.days.map(str::to_owned),
        hours: words.hours.map(str::to_owned),
        minutes: words.minutes.map(str::to_owned),
        soon: words.soon.to_owned(),
        over: words.over.to_owned(),
    }
}

/// An address beneath a page's own, with the same query.
fn beneath(page: &str, name: &str) -> String {
    match page.split_once('?') {
        Some((path, query)) => format!("{path}/{name}?{query}"),
        None => format!("{page}/{name}"),
    }
}

/// The page's address for another device: who deposits at a computer's bank looks for the account there.
fn elsewhere(payment: &PaymentFacts, locale: Locale) -> AnyView {
    let words = locale.messages();
    view! {
        <details class="card elsewhere">
            <summary>{words.other_device}</summary>
            <Qr text=payment.status_url.clone() name=words.other_device_code />
        </details>
    }
    .into_any()
}

fn facts(payment: &PaymentFacts, view: &CompletionView, locale: Locale) -> Vec<Fact> {
    let words = locale.messages();
    let mut facts = vec![Fact::of(
        words.order_name,
        Some(payment.name.clone()),
        FactKind::Foreign,
    )];
    let transaction = payment
        .transaction
        .as_ref()
        .filter(|_| speaks_of_a_payment(view.outcome));
    match transaction {
        Some(transaction) => {
            let method = [
                transaction
                    .pay_method
                    .as_deref()
                    .and_then(words.pay_method)
                    .map(str::to_owned),
                transaction
                    .method_name
                    .as_deref()
                    .map(|name| institution(locale, name).to_owned()),
            ];
            let method = method.into_iter().flatten().collect::<Vec<_>>().join(" · ");
            facts.extend([
                Fact::of(
                    words.amount_paid,
                    transaction.amount.map(|amount| money(locale, amount)),
                    FactKind::Figures,
                ),
                Fact::of(
                    words.refunded_amount,
                    (payment.refunded.minor > 0).then(|| money(locale, payment.refunded)),
                    FactKind::Figures,
                ),
                Fact::of(words.method, Some(method), FactKind::Foreign),
                Fact::of(
                    words.approval_number,
                    transaction.approval_number.clone(),
                    FactKind::Id,
                ),
                Fact::of(
                    words.paid_at,
                    transaction.paid_at.map(|at| datetime(locale, at)),
                    FactKind::Words,
                ),
            ]);
        }
        // The account's panel has it already.
        None if view.outcome == Outcome::VirtualAccountIssued => {}
        None => facts.push(Fact::of(
            words.amount_due,
            Some(money(locale, payment.amount)),
            FactKind::Figures,
        )),
    }
    facts.into_iter().flatten().collect()
}

/// The numbers to quote, and the way back to this page.
fn reference(
    around: &Surroundings,
    payment: &PaymentFacts,
    locale: Locale,
    arrival: Arrival,
) -> AnyView {
    let words = locale.messages();
    let transaction = payment.transaction.as_ref();
    let transaction = transaction.and_then(|transaction| transaction.transaction_id.as_ref());
    let transaction = transaction.map(|id| {
        let id = id.to_string();
        view! { <div><dt>{words.transaction_id}</dt><dd class="id"><bdi>{id}</bdi></dd></div> }
    });
    let link = (arrival != Arrival::Link).then(|| {
        let path = around.path(&payment.status_url);
        view! { <p class="note"><a href=path>{words.lasting_link}</a></p> }
    });
    view! {
        <section class="card reference" aria-label=words.payment_id>
            <dl class="facts">
                <div><dt>{words.payment_id}</dt><dd class="id"><bdi>{payment.payment_id.to_string()}</bdi></dd></div>
                {transaction}
            </dl>
            <p class="note">{words.quote_these}</p>
            {link}
        </section>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use leptos_meta::provide_meta_context;

    use super::*;
    use crate::domain::ids::{PaymentId, TransactionId};
    use crate::domain::money::{Currency, Money};
    use crate::domain::order::OrderStatus;
    use crate::domain::outcome::FailureReason;
    use crate::service::completion::TransactionFacts;
    use crate::ui::context::{Site, Visitor};

    const STATUS_URL: &str = "https://pay.example/o/00112233445566778899aabbccddeeff";

    fn around(mode: Mode) -> Surroundings {
        let site = Site {
            shop_name: Some("완료상점".to_owned()),
            shop_url: Some("https://shop.example/".to_owned()),
            accent: None,
            logo_url: None,
            support_url: Some("https://shop.example/help".to_owned()),
            public_url: "https://pay.example".to_owned(),
            mode,
            v1: None,
            v2: None,
        };
        Surroundings {
            site: Arc::new(site),
            visitor: Visitor {
                asked: None,
                accepted: Locale::Ko,
            },
            scripts: None,
        }
    }

    fn view(outcome: Outcome) -> CompletionView {
        let amount = Money {
            minor: 64_900,
            currency: Currency::KRW,
        };
        let transaction = TransactionFacts {
            transaction_id: TransactionId::parse("imp_448280090638").ok(),
            amount: Some(amount),
            in_review: false,
            pay_by: None,
            may_have_charged: false,
            gateway_words: None,
            test: Some(false),
            pay_method: Some("card".to_owned()),
            method_name: Some("신한카드".to_owned()),
            approval_number: Some("12345678".to_owned()),
            receipt_url: Some("https://receipt.example/1".to_owned()),
            paid_at: None,
            virtual_account: None,
        };
        CompletionView {
            outcome,
            payment: Some(PaymentFacts {
                payment_id: PaymentId::parse("ORDER-1").expect("an id"),
                name: "<b>사과</b>".to_owned(),
                amount,
                refunded: Money { minor: 0, ..amount },
                status: OrderStatus::Open,
                status_url: STATUS_URL.to_owned(),
                locale: None,
                awaits_deposit: false,
                said_at: jiff::Timestamp::UNIX_EPOCH,
                transaction: Some(transaction),
            }),
            claimed_failure: false,
            retry_url: None,
            return_url: Some("https://shop.example/thanks".to_owned()),
            checked_at: None,
        }
    }

    fn html(around: &Surroundings, view: &CompletionView, arrival: Arrival) -> String {
        Owner::new().with(|| {
            provide_meta_context();
            result_page(around, view, arrival).to_html()
        })
    }

    #[test]
    fn the_page_carries_the_contracts_words() {
        let live = around(Mode::Live);
        for outcome in [
            Outcome::Paid,
            Outcome::VirtualAccountIssued,
            Outcome::Pending,
            Outcome::Held,
            Outcome::Unconfirmed,
            Outcome::Late,
        ] {
            let page = html(&live, &view(outcome), Arrival::Redirect);
            assert!(
                page.contains(&format!(
                    "<main data-outcome=\"{}\" class=",
                    outcome.as_str()
                )),
                "{page}"
            );
        }
        for reason in FailureReason::ALL {
            let page = html(&live, &view(Outcome::Failed(*reason)), Arrival::Redirect);
            assert!(
                page.contains(&format!(
                    "data-outcome=\"failed\" data-reason=\"{}\"",
                    reason.as_str()
                )),
                "{page}"
            );
        }
    }

    #[test]
    fn what_the_shop_wrote_is_text_and_never_markup() {
        let page = html(&around(Mode::Live), &view(Outcome::Paid), Arrival::Redirect);

        assert!(
            page.contains("&lt;b&gt;사과") && !page.contains("<b>"),
            "{page}"
        );
    }

    #[test]
    fn how_it_was_paid_is_shown_only_where_money_was_taken() {
        for (outcome, shown) in [
            (Outcome::Paid, true),
            (Outcome::Duplicate, true),
            (Outcome::Held, false),
            (Outcome::Pending, false),
            (Outcome::Unconfirmed, false),
        ] {
            let page = html(&around(Mode::Live), &view(outcome), Arrival::Link);
            for detail in ["신한카드", "12345678", "https://receipt.example/1"] {
                assert_eq!(page.contains(detail), shown, "{outcome:?}: {detail}");
            }
        }
    }

    #[test]
    fn a_receipt_is_linked_only_as_a_web_page() {
        assert!(may_link_to_receipt("https://receipt.example/1", Mode::Live));
        assert!(may_link_to_receipt(
            "http://127.0.0.1:3900/receipt",
            Mode::Test
        ));
        for (url, mode) in [
            ("http://receipt.example/", Mode::Live),
            ("javascript:alert(1)", Mode::Test),
            ("data:text/html,x", Mode::Test),
            ("//receipt.example", Mode::Test),
            ("", Mode::Live),
        ] {
            assert!(!may_link_to_receipt(url, mode), "{url:?} {mode:?}");
        }
    }

    #[test]
    fn test_money_is_called_so_by_payment_or_by_site() {
        let [of_payment, of_site] = [
            Locale::Ko.messages().test_notice,
            Locale::Ko.messages().test_mode,
        ];
        for (mode, outcome, test, notice) in [
            (Mode::Live, Outcome::Paid, true, Some(of_payment)),
            (Mode::Test, Outcome::Paid, true, Some(of_payment)),
            (Mode::Live, Outcome::Paid, false, None),
            (Mode::Test, Outcome::Paid, false, Some(of_site)),
            // It may be held for this very reason, and on a test server real money may be.
            (Mode::Live, Outcome::Held, true, None),
            (Mode::Test, Outcome::Held, true, Some(of_site)),
            (Mode::Test, Outcome::Held, false, Some(of_site)),
        ] {
            let mut view = view(outcome);
            let own = view
                .payment
                .as_mut()
                .and_then(|payment| payment.transaction.as_mut());
            own.expect("an attempt").test = Some(test);
            let page = html(&around(mode), &view, Arrival::Link);
            for text in [of_payment, of_site] {
                assert_eq!(
                    page.contains(text),
                    notice == Some(text),
                    "{mode:?} {outcome:?} {test}: {text}"
                );
            }
        }
    }

    #[test]
    fn a_missing_order_looks_the_same_through_every_door() {
        let nothing = CompletionView {
            payment: None,
            return_url: Some("https://shop.example/".to_owned()),
            ..view(Outcome::NotFound)
        };
        let live = around(Mode::Live);

        assert_eq!(
            html(&live, &nothing, Arrival::Redirect),
            html(&live, &nothing, Arrival::Link)
        );
    }

    #[test]
    fn a_page_without_islands_has_no_script() {
        let mut with_scripts = around(Mode::Live);
        with_scripts.scripts = Some(LeptosOptions::builder().output_name("wanryo").build());

        assert!(!html(&with_scripts, &view(Outcome::Paid), Arrival::Redirect).contains("<script"));
        assert!(
            html(&with_scripts, &view(Outcome::Pending), Arrival::Redirect).contains("<script")
        );
    }

    #[test]
    fn the_asked_language_stays_with_every_link_of_ours() {
        let mut english = around(Mode::Live);
        english.visitor.asked = Some(Locale::En);

        let page = html(&english, &view(Outcome::Unconfirmed), Arrival::Redirect);

        let path = STATUS_URL.trim_start_matches("https://pay.example");
        assert!(page.contains(&format!("href=\"{path}?lang=en\"")), "{page}");
        assert!(
            page.contains(&format!("href=\"{path}?lang=ko\"")),
            "the switch offers the other language: {page}"
        );
    }
}
