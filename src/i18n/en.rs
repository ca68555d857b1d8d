//! English.

use super::brand::brand;
use super::catalogue::{EdgeMessages, FailureText, Messages, PayMessages, StoryText, TimeLeftText};
use super::{Locale, money};
use crate::domain::confirmation::Stop;
use crate::domain::money::Money;
use crate::domain::outcome::FailureReason;

fn sum(amount: Money) -> String {
    money(Locale::En, amount)
}

pub(super) static MESSAGES: Messages = Messages {
    test_notice: "This is a test payment. No real money has been taken.",
    test_mode: "Payments of this shop are in test mode.",
    languages: "Language",
    do_not_pay_again: "Please don’t pay again.",

    paid: StoryText {
        heading: "Payment complete",
        next: "There is nothing more to do.",
    },
    paid_money: |amount| format!("You paid {}.", sum(amount)),
    paid_despite_window: |amount| {
        format!(
            "The payment window said it failed, but you did pay {}.",
            sum(amount)
        )
    },

    account: StoryText {
        heading: "Your account for the deposit is ready",
        next: "This page changes once the deposit arrives. You can close it.",
    },
    account_money: |amount, deadline| match deadline {
        Some(deadline) => format!("Please deposit {} by {deadline}.", sum(amount)),
        None => format!("Please deposit {} to the account below.", sum(amount)),
    },
    account_deadline: "After the deadline this account takes no deposits. Until you deposit, no money is taken.",
    account_exact: "A deposit of any other amount may be turned away.",

    approving: StoryText {
        heading: "We’re checking your payment",
        next: "This usually takes a few seconds. You can close this page.",
    },
    approving_money: "There is no result yet.",

    in_review: StoryText {
        heading: "Your payment is being reviewed",
        next: "The payment provider has not approved it yet, which can take a few days. You can close this page; it will show the result.",
    },

    number_issued: StoryText {
        heading: "Please pay at the store",
        next: "Show the number you got in the payment window at the store. If you have paid, this page will show it once it is confirmed.",
    },
    number_money: |deadline| {
        format!("You can pay until {deadline}. No payment has been confirmed yet.")
    },

    left: StoryText {
        heading: "Your payment isn’t finished",
        next: "If you closed the payment window, you can continue. If you did finish paying, please wait a moment and don’t pay again.",
    },
    left_without_link: "If you have just finished paying, please wait a moment and don’t pay again.",
    nothing_paid: "We checked: nothing has been paid so far.",

    failure,
    failed_money: "No money has been taken.",
    failed_in_doubt: "No payment is known so far. Rarely, one is approved later: if you were told of an approval, do not pay again.",
    failed_but_charged: "If you were notified of a charge, please ask us before you pay again.",
    order_is_over: "This order can no longer be paid. If you still want it, please order again at the shop.",
    account_waits: "An account for the deposit has been issued for this order. If you have deposited, please wait and don’t pay again: banks sometimes report late.",

    stopped: |why| match why {
        Stop::UnknownOrder => "The payment was stopped: the order was not found.",
        Stop::Over => "The payment was stopped: the time to pay this order is over.",
        Stop::Paid => "The payment was stopped: this order has been paid already.",
        Stop::Held => "The payment was stopped: the shop is looking at this order.",
        Stop::Amount => "The payment was stopped: the amount is not the order's.",
        Stop::Unavailable => {
            "The payment was stopped: the order cannot be checked right now. Please try again in a moment."
        }
        Stop::Unreadable => "The payment was stopped: its details could not be read.",
    },

    expired: StoryText {
        heading: "The time to pay has run out",
        next: "If you still want it, please order again at the shop. If you have just finished paying, please ask us before you pay again.",
    },
    closed: StoryText {
        heading: "The shop has closed this order",
        next: "If you still want it, please order again at the shop. If you have just finished paying, please ask us before you pay again.",
    },

    refunded: StoryText {
        heading: "Your money was refunded",
        next: "It may take a few days to show at your bank or card company.",
    },
    refunded_money: |amount| match amount {
        Some(amount) => format!("{} was refunded.", sum(amount)),
        None => "Everything you paid was refunded.".to_owned(),
    },
    partially_refunded: StoryText {
        heading: "Part of your money was refunded",
        next: "It may take a few days to show at your bank or card company.",
    },
    partially_refunded_money: |of, part| format!("{} of {} was refunded.", sum(part), sum(of)),

    held: StoryText {
        heading: "We can’t confirm this payment",
        next: "The shop has to look into it. Quote the numbers below to get help faster.",
    },
    held_money: "The payment does not match the order, so the order has not gone ahead.",

    duplicate: StoryText {
        heading: "You paid twice",
        next: "The order goes ahead once. The second payment is on record for the shop. To get it back, contact the shop and quote the numbers below.",
    },
    duplicate_money: |amount| {
        format!(
            "The order was already paid, and {} was paid once more.",
            sum(amount)
        )
    },

    late: StoryText {
        heading: "You paid after the order had ended",
        next: "The payment is on record for the shop. Contact the shop about a refund or the order, and quote the numbers below.",
    },
    late_money: |amount| {
        format!(
            "{} was paid, but the order has not gone ahead.",
            sum(amount)
        )
    },

    unconfirmed: StoryText {
        heading: "We couldn’t confirm your payment yet",
        next: "We keep checking by ourselves. You can close this page.",
    },
    unconfirmed_money: "If you paid, it is safely on record.",
    unconfirmed_without_order: "Please reload this page in a moment.",

    not_found: StoryText {
        heading: "We can’t find this order",
        next: "If you paid, please contact the shop and don’t pay again.",
    },
    not_found_why: "The address is wrong or no longer in use.",
    invalid: StoryText {
        heading: "We can’t read the payment’s details",
        next: "If you paid, please contact the shop and don’t pay again.",
    },
    invalid_why: "This address has no number by which to find a payment.",
    our_error: StoryText {
        heading: "We can’t show your payment right now",
        next: "Please reload this page in a moment.",
    },
    our_error_why: "Something went wrong on our side. If you paid, it is safely on record.",
    no_page: StoryText {
        heading: "There is no such page",
        next: "Please check the address.",
    },
    no_page_why: "The address is wrong or no longer in use.",

    retry: "Try again",
    resume: "Continue payment",
    check_now: "Check again now",
    back_to_shop: "Back to the shop",
    help: "Get help",
    receipt: "View receipt",
    lasting_link: "Link to come back to this page",

    facts: "Payment details",
    amount_paid: "Amount paid",
    amount_due: "Order amount",
    order_name: "Order",
    method: "Payment method",
    approval_number: "Approval number",
    paid_at: "Paid at",
    refunded_amount: "Refunded",
    payment_id: "Order number",
    transaction_id: "Transaction number",
    quote_these: "Quote these numbers when you ask for help.",
    pay_method,

    account_panel: "Account for the deposit",
    bank: "Bank",
    account_number: "Account number",
    holder: "Account holder",
    amount_to_deposit: "Amount to deposit",
    deadline: "Deadline",
    copy_account_number: "Copy account number",
    copied: "Copied",
    copy_refused: "Copying didn’t work. Please select the number and copy it.",

    save_deadline: "Save the deadline to your calendar",
    deadline_event: |amount| format!("Deposit {}", sum(amount)),
    time_left: TimeLeftText {
        around: ["", " left"],
        between: " ",
        days: [" day", " days"],
        hours: [" hour", " hours"],
        minutes: [" minute", " minutes"],
        soon: "Less than a minute left",
        over: "The deadline has passed",
    },
    other_device: "Open this page on another device",
    other_device_code: "QR code with the address of this page",

    watching: "This page changes by itself once there is a result.",
    watch_changed: "Your payment’s status has changed. Opening it now.",
    watch_ended: "We stopped checking by ourselves. Please choose “Check again now”.",
    checked_at: |at| format!("Last checked: {at}"),

    edge: EdgeMessages {
        busy: StoryText {
            heading: "Many people are here right now",
            next: "This page could not be opened just now.",
        },
        too_many: StoryText {
            heading: "Too many requests at once",
            next: "Many requests came from your internet connection in a short time.",
        },
        broken: StoryText {
            heading: "We can’t show this page right now",
            next: "Something went wrong on our side.",
        },
        unreadable: StoryText {
            heading: "The request could not be read",
            next: "Please start again from the shop.",
        },
        framed: StoryText {
            heading: "See the result in the whole window",
            next: "The result is not shown inside this frame.",
        },
        not_allowed: StoryText {
            heading: "You may not do this",
            next: "Ask an owner of the shop for the role that it needs.",
        },
        if_paid: "If you have already paid, don’t pay again, and look at your orders first.",
        again_in: |seconds| format!("Please open this page again in {seconds} seconds."),
        again: "Open again",
        see_result: "See the result",
    },
    pay: PayMessages {
        heading: "Check your order and pay",
        what_happens: "The button opens the payment window. When you are done, you come back to a page with the result.",
        payable_until: |at| format!("You can pay until {at}."),
        button: |amount| format!("Pay {}", sum(amount)),
        opening: "Opening the payment window.",
        preparing: "Preparing the payment window. If the button does not wake up, reload the page.",
        sdk_missing: "The payment window could not be loaded. Turn off content blockers for this page, or try again in a moment. No money has been taken.",
        window_failed: "The payment window did not open. Unless you were notified of a charge, please try again.",
        already_paid: "This order has already been paid. Please don’t pay again.",
        see_status: "See the payment’s status",
        no_script: "The payment window needs JavaScript. Please turn it on in your browser’s settings and reload this page.",
        unavailable: StoryText {
            heading: "You can’t pay here right now",
            next: "The shop has not finished setting up payments. No money has been taken. Please contact the shop.",
        },
        paid: StoryText {
            heading: "This order has already been paid",
            next: "There is no need to pay again.",
        },
        refunded: StoryText {
            heading: "This order was refunded",
            next: "It can’t be paid again. If you still want it, please order again at the shop.",
        },
        held: StoryText {
            heading: "The shop is looking into your payment",
            next: "Please don’t pay again.",
        },
        awaits_deposit: StoryText {
            heading: "Your account for the deposit has been issued",
            next: "If you have deposited, please wait and don’t pay again. If you have not, and would rather pay in another way, please order again at the shop.",
        },
        in_review: StoryText {
            heading: "Your earlier payment is being reviewed",
            next: "Please don’t pay again. The payment’s status will show the result.",
        },
        number_issued: StoryText {
            heading: "You already have a number to pay with at a store",
            next: "Please pay with that number and don’t pay again here. The payment’s status will show the result.",
        },
    },
};

fn failure(reason: FailureReason) -> &'static FailureText {
    match reason {
        FailureReason::BuyerCancelled => &FailureText {
            heading: "You cancelled the payment",
            why: "You left the payment window before paying.",
            next: "Your order is still there.",
        },
        FailureReason::Declined => &FailureText {
            heading: "Your payment didn’t go through",
            why: "Your bank or card company declined it.",
            next: "Use another way to pay, or contact your card company.",
        },
        FailureReason::LimitExceeded => &FailureText {
            heading: "Your payment didn’t go through",
            why: "It is over your payment limit.",
            next: "Check your limit, or use another way to pay.",
        },
        FailureReason::InsufficientBalance => &FailureText {
            heading: "Your payment didn’t go through",
            why: "There is not enough money in the account.",
            next: "Check your balance, or use another way to pay.",
        },
        FailureReason::InvalidCard => &FailureText {
            heading: "Your payment didn’t go through",
            why: "This card can’t be used.",
            next: "Check the card number and expiry date, or use another card.",
        },
        FailureReason::WindowError => &FailureText {
            heading: "Your payment didn’t go through",
            why: "The payment window had a problem.",
            next: "Try again in a moment, or use another browser.",
        },
        FailureReason::RefusedByShop => &FailureText {
            heading: "Your payment didn’t go through",
            why: "The shop stopped it right before approval.",
            next: "The order or the stock may have changed. Please check with the shop.",
        },
        FailureReason::Unknown => &FailureText {
            heading: "Your payment didn’t go through",
            why: "It was not approved.",
            next: "Try again in a moment, or use another way to pay.",
        },
    }
}

fn pay_method(word: &str) -> Option<&'static str> {
    Some(match word {
        "card" | "CARD" => "Card",
        "trans" | "TRANSFER" => "Bank transfer",
        "vbank" | "VIRTUAL_ACCOUNT" => "Virtual account",
        "phone" | "MOBILE" => "Mobile phone",
        "EASY_PAY" => "Wallet",
        "cultureland" | "smartculture" | "culturegift" | "booknlife" | "happymoney"
        | "GIFT_CERTIFICATE" => "Gift card",
        "CONVENIENCE_STORE" => "Convenience store",
        "CRYPTO" => "Crypto",
        "point" => "Points",
        _ => return brand(word),
    })
}
