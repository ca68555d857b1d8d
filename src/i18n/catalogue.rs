//! Every message that a buyer can read. What depends on an amount, a name or a time is a function of it.

use crate::domain::confirmation::Stop;
use crate::domain::money::Money;
use crate::domain::outcome::FailureReason;

/// What a state is called, and what to do about it.
#[derive(Debug)]
pub struct StoryText {
    /// The heading, which is the page's title too.
    pub heading: &'static str,
    /// What comes next. Nothing in it may lead to a second charge.
    pub next: &'static str,
}

/// What a failure is called, why it happened, and what to do about it.
#[derive(Debug)]
pub struct FailureText {
    /// The heading.
    pub heading: &'static str,
    /// The cause.
    pub why: &'static str,
    /// What can be done.
    pub next: &'static str,
}

/// How much time is left, in words.
#[derive(Debug)]
pub struct TimeLeftText {
    /// What stands before and after the time.
    pub around: [&'static str; 2],
    /// What stands between two numbers with their units.
    pub between: &'static str,
    /// What follows one day, and several.
    pub days: [&'static str; 2],
    /// What follows one hour, and several.
    pub hours: [&'static str; 2],
    /// What follows one minute, and several.
    pub minutes: [&'static str; 2],
    /// Less than a minute is left.
    pub soon: &'static str,
    /// Nothing is left.
    pub over: &'static str,
}

/// Everything that the buyer's pages say in one language.
pub struct Messages {
    /// Above every page where money is not real.
    pub test_notice: &'static str,
    /// The server takes test money.
    pub test_mode: &'static str,
    /// Names the links that change the language.
    pub languages: &'static str,
    /// The most important sentence we have.
    pub do_not_pay_again: &'static str,

    /// Paid.
    pub paid: StoryText,
    /// What was paid.
    pub paid_money: fn(Money) -> String,
    /// What was paid although the window said that it failed.
    pub paid_despite_window: fn(Money) -> String,

    /// An account was issued.
    pub account: StoryText,
    /// How much to deposit, until when.
    pub account_money: fn(Money, Option<&str>) -> String,
    /// What happens at the deadline.
    pub account_deadline: &'static str,
    /// Deposits of another amount are turned away.
    pub account_exact: &'static str,

    /// The buyer has done everything, the answer is on its way.
    pub approving: StoryText,
    /// What is known of the money.
    pub approving_money: &'static str,

    /// The buyer has done everything, and the gateway takes days over it.
    pub in_review: StoryText,

    /// The buyer has got a number to pay with at a store.
    pub number_issued: StoryText,
    /// What is known of the money, and until when it can be paid.
    pub number_money: fn(&str) -> String,

    /// The buyer left before the end, as far as one can tell.
    pub left: StoryText,
    /// Where the order cannot be paid any more by a link of ours.
    pub left_without_link: &'static str,
    /// What is known of the money.
    pub nothing_paid: &'static str,

    /// Failures by reason.
    pub failure: fn(FailureReason) -> &'static FailureText,
    /// What is known of the money.
    pub failed_money: &'static str,
    /// The same where that is not sure.
    pub failed_in_doubt: &'static str,
    /// Approvals can come late, and notices of them as well.
    pub failed_but_charged: &'static str,
    /// Why there is no link to try again.
    pub order_is_over: &'static str,
    /// In its place while a deposit to an issued account may still arrive.
    pub account_waits: &'static str,

    /// Why a payment was stopped right before its approval. PortOne shows it in its window.
    pub stopped: fn(Stop) -> &'static str,

    /// The time to pay is over.
    pub expired: StoryText,
    /// The shop wants no payment any more.
    pub closed: StoryText,

    /// Given back.
    pub refunded: StoryText,
    /// How much was given back.
    pub refunded_money: fn(Option<Money>) -> String,
    /// Partly given back.
    pub partially_refunded: StoryText,
    /// Of how much, how much was given back.
    pub partially_refunded_money: fn(Money, Money) -> String,

    /// A person has to look. Must not tell which check failed, nor that money was taken: neither may be known to a stranger.
    pub held: StoryText,
    /// What is known of the money.
    pub held_money: &'static str,

    /// Paid twice.
    pub duplicate: StoryText,
    /// What was paid once more.
    pub duplicate_money: fn(Money) -> String,

    /// Paid when the order was over.
    pub late: StoryText,
    /// What was paid.
    pub late_money: fn(Money) -> String,

    /// PortOne could not be asked.
    pub unconfirmed: StoryText,
    /// What is known of the money.
    pub unconfirmed_money: &'static str,
    /// The next step where not even the order is known.
    pub unconfirmed_without_order: &'static str,

    /// No such order, or not this visitor's.
    pub not_found: StoryText,
    /// Why that may be.
    pub not_found_why: &'static str,
    /// No id that could be looked up.
    pub invalid: StoryText,
    /// Why that may be.
    pub invalid_why: &'static str,
    /// Our own error.
    pub our_error: StoryText,
    /// Whose fault it is, and what is known of the money.
    pub our_error_why: &'static str,
    /// An address that is no page.
    pub no_page: StoryText,
    /// Why that may be.
    pub no_page_why: &'static str,

    /// Try the payment again.
    pub retry: &'static str,
    /// Go on with a payment that was left.
    pub resume: &'static str,
    /// Look again.
    pub check_now: &'static str,
    /// Go on where the shop wants it.
    pub back_to_shop: &'static str,
    /// Ask a person.
    pub help: &'static str,
    /// The gateway's receipt.
    pub receipt: &'static str,
    /// The lasting link.
    pub lasting_link: &'static str,

    /// Name of the list of facts, for those who do not see it.
    pub facts: &'static str,
    /// Label: what was paid.
    pub amount_paid: &'static str,
    /// Label: what the order costs.
    pub amount_due: &'static str,
    /// Label: what is sold.
    pub order_name: &'static str,
    /// Label: the way it was paid.
    pub method: &'static str,
    /// Label: approval number.
    pub approval_number: &'static str,
    /// Label: when it was paid.
    pub paid_at: &'static str,
    /// Label: given back.
    pub refunded_amount: &'static str,
    /// Label: the merchant's id.
    pub payment_id: &'static str,
    /// Label: PortOne's id.
    pub transaction_id: &'static str,
    /// What the ids are good for.
    pub quote_these: &'static str,
    /// A way to pay by PortOne's word for it; `None` for a word we do not know.
    pub pay_method: fn(&str) -> Option<&'static str>,

    /// Name of the panel with the account.
    pub account_panel: &'static str,
    /// Label: bank.
    pub bank: &'static str,
    /// Label: account number.
    pub account_number: &'static str,
    /// Label: account holder.
    pub holder: &'static str,
    /// Label: how much to deposit.
    pub amount_to_deposit: &'static str,
    /// Label: until when.
    pub deadline: &'static str,
    /// Button: copy the account number.
    pub copy_account_number: &'static str,
    /// The button's answer.
    pub copied: &'static str,
    /// The button's answer where the browser does not let us.
    pub copy_refused: &'static str,

    /// Link: a calendar file with the deadline.
    pub save_deadline: &'static str,
    /// What the calendar calls the deadline.
    pub deadline_event: fn(Money) -> String,
    /// What is left until the deadline.
    pub time_left: TimeLeftText,
    /// Unfolds a code for another device's camera.
    pub other_device: &'static str,
    /// What the code is, for those who do not see it.
    pub other_device_code: &'static str,

    /// The page keeps looking.
    pub watching: &'static str,
    /// Something changed, the page is about to be replaced.
    pub watch_changed: &'static str,
    /// The page gave up looking.
    pub watch_ended: &'static str,
    /// When PortOne last answered.
    pub checked_at: fn(&str) -> String,

    /// The pay page.
    pub pay: PayMessages,
    /// What is said before any page.
    pub edge: EdgeMessages,
}

/// What the server says when it answers before any page is made.
pub struct EdgeMessages {
    /// Too many others ask at once.
    pub busy: StoryText,
    /// Too much is asked at once from where this was asked.
    pub too_many: StoryText,
    /// The server's own fault.
    pub broken: StoryText,
    /// What the browser sent cannot be used.
    pub unreadable: StoryText,
    /// The result is not shown where it was asked for: in a frame.
    pub framed: StoryText,
    /// What became of the money of whoever has paid. Nothing was looked up, so it is all that can be said.
    pub if_paid: &'static str,
    /// When to ask again, in seconds.
    pub again_in: fn(u32) -> String,
    /// Link: the same page again.
    pub again: &'static str,
    /// Link: the same page, out of its frame.
    pub see_result: &'static str,
    /// The back office has it, and not for this person.
    pub not_allowed: StoryText,
}

/// What the pay page says.
pub struct PayMessages {
    /// Heading.
    pub heading: &'static str,
    /// What will happen.
    pub what_happens: &'static str,
    /// Until when.
    pub payable_until: fn(&str) -> String,
    /// The button.
    pub button: fn(Money) -> String,
    /// While the window opens.
    pub opening: &'static str,
    /// Said until the button can be pressed; stays when the script does not come.
    pub preparing: &'static str,
    /// The SDK is not there: blocked, or slow.
    pub sdk_missing: &'static str,
    /// The window did not open.
    pub window_failed: &'static str,
    /// PortOne says that this order has been paid.
    pub already_paid: &'static str,
    /// Link to the status page.
    pub see_status: &'static str,
    /// No scripts.
    pub no_script: &'static str,
    /// Payments cannot be taken here.
    pub unavailable: StoryText,
    /// The order has been paid.
    pub paid: StoryText,
    /// The order's money was given back.
    pub refunded: StoryText,
    /// A person looks at a payment.
    pub held: StoryText,
    /// An issued account waits for its deposit.
    pub awaits_deposit: StoryText,
    /// The gateway has not approved a payment yet.
    pub in_review: StoryText,
    /// The buyer has got a number to pay with at a store.
    pub number_issued: StoryText,
}
