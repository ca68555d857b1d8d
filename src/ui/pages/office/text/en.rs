//! English.

use super::{
    Attention, Frame, History, List, Login, LoginError, Notice, OrderText, RefundText, Text, Who,
    Words,
};
use crate::domain::attention::{Arrival, AttentionKind};
use crate::domain::confirmation::Stop;
use crate::domain::delivery::DeliveryStatus;
use crate::domain::event::EventType;
use crate::domain::history::{EntryKind, Refusal};
use crate::domain::order::OrderStatus;
use crate::domain::outcome::{FailureReason, Outcome};
use crate::domain::refund::{RefundState, TaxFreeFault};
use crate::domain::transaction::{TransactionStatus, Verdict};
use crate::domain::verification::CheckName;
use crate::ui::pages::office::refund::RefundFault;

pub(super) const TEXT: Text = Text {
    frame: Frame {
        office: "Payments",
        pages: "Pages of the back office",
        other_language: "한국어",
        sign_out: "Sign out",
        test_mode: "Test mode: no payment on this server moves real money.",
        signed_out: Words {
            title: "Please sign in",
            body: "Only people who are signed in can see this page.",
        },
        sign_in: "Sign in",
        unavailable: Words {
            title: "This cannot be shown right now",
            body: "The database does not answer. No payment record is lost. Please open this page again in a moment.",
        },
        times: "All times are Korea time (UTC+9).",
    },
    login: Login {
        title: "Sign in",
        lead: "Sign in to see orders and their payments.",
        email: "Email",
        password: "Password",
        submit: "Sign in",
        error: |error| {
            match error {
            LoginError::Refused => "The email address or the password is not right.".to_owned(),
            LoginError::Busy => {
                "Many people are signing in right now. Please try again in a moment.".to_owned()
            }
            LoginError::Wait { seconds: 1 } => {
                "There were too many wrong sign-ins. Please wait a second and try again.".to_owned()
            }
            LoginError::Wait { seconds } => format!(
                "There were too many wrong sign-ins. Please wait {seconds} seconds and try again."
            ),
            LoginError::Ended => {
                "You were no longer signed in, so what you just sent was not saved. Please sign in and send it again."
                    .to_owned()
            }
            LoginError::Unavailable => {
                "Signing in does not work right now. Please try again in a moment.".to_owned()
            }
        }
        },
    },
    list: List {
        title: "Orders",
        filters: "Find orders",
        status: "Status",
        any_status: "Any status",
        query: "Number",
        query_hint: "The beginning of an order number, a whole transaction or approval number, or the last four digits of the buyer's phone.",
        from: "From",
        to: "To",
        search: "Find",
        reset: "Clear",
        held: |count, more| match (count, more) {
            (_, true) => format!("More than {count} orders are held."),
            (1, false) => "1 order is held.".to_owned(),
            (_, false) => format!("{count} orders are held."),
        },
        show_held: "Show orders that are held",
        table: "Orders, newest first",
        payment_id: "Order",
        name: "Item",
        amount: "Amount",
        created: "Created",
        checked: "Last checked",
        never_checked: "Not yet",
        attention: "Needs a look",
        pages: "More orders",
        next: "Older orders",
        first: "Back to the newest",
        none: Words {
            title: "No orders yet",
            body: "Orders appear here when your shop's server makes them through the API.",
        },
        none_match: Words {
            title: "No order matches",
            body: "Use fewer conditions, or check the order number.",
        },
    },
    attention: Attention {
        title: "Needs a look",
        lead: "Money that fits no order as it is, and events that do not reach your server. Look at each and decide.",
        swept: |seen| format!("Last compared with PortOne's lists ({seen} payments):"),
        swept_in_part: "PortOne did not tell a part of them; it is asked again the next day.",
        never_swept: "PortOne's lists have not been compared yet. That happens once a day from the first order on.",
        kind: |kind| match kind {
            AttentionKind::Orphan => "Payment without an order",
            AttentionKind::Drift => "Differs from PortOne's list",
            AttentionKind::Unclear => "Payment that cannot be read",
            AttentionKind::Duplicate => "Second payment",
            AttentionKind::Late => "Late",
            AttentionKind::Held => "Held",
            AttentionKind::RefundInDoubt => "Refund without an end",
        },
        meaning: |kind| match kind {
            AttentionKind::Orphan => {
                "PortOne holds this payment, and no order here has its number."
            }
            AttentionKind::Drift => {
                "PortOne's list shows more of this payment than PortOne tells when it is asked about the order. Nothing was changed."
            }
            AttentionKind::Unclear => {
                "For more than ten minutes, what PortOne tells of this payment cannot be read. Nobody knows whether money came, so the order stays as it was."
            }
            AttentionKind::Duplicate => "The order had been paid already when this payment came.",
            AttentionKind::Late => "Paid after the order was closed or its time ran out.",
            AttentionKind::Held => {
                "Paid, but something does not match the order, so it was not accepted."
            }
            AttentionKind::RefundInDoubt => {
                "A refund was asked for, and PortOne does not show yet whether the money went back."
            }
        },
        to_do: |kind| match kind {
            AttentionKind::Orphan => {
                "Look for the order in your shop. If nobody knows the payment, refund it in PortOne's console, as the API refunds payments of orders alone; if another system of yours took it, mark it as settled."
            }
            AttentionKind::Drift => {
                "Open the order and ask PortOne again. If nothing changes, write to PortOne's support."
            }
            AttentionKind::Unclear => {
                "Look at the payment in PortOne's console. PortOne is asked again and again; once its answer can be read, this disappears from here. If it stays, update this program or write to PortOne's support."
            }
            AttentionKind::Duplicate => {
                "Open the order and refund this transaction. Once it is refunded, it disappears from here."
            }
            AttentionKind::Late => {
                "Decide whether to ship or to refund; the order's page can do it. A refunded payment disappears from here; otherwise mark it as settled."
            }
            AttentionKind::Held => {
                "Do not ship. Open the order, look at the checks, and refund the transaction there if need be."
            }
            AttentionKind::RefundInDoubt => {
                "Do not refund a second time yet. PortOne is asked again and again; once it knows, this disappears from here. If it stays, look at the payment's cancellations in PortOne's console. If the refund is none of them, mark it as settled: it ends then, at the latest a week after it was asked for, unless PortOne shows it after all, and a new one can be asked for. If the payment is cancelled there and the buyer's account has not got the money, have it transferred again in the console or pay the buyer yourself, and then mark it as settled."
            }
        },
        open_order: "Open the order",
        settle: "Mark as settled",
        note: "What was done",
        not_kept: "What you wrote was not kept. Copy it if you need it.",
        note_hint: "Kept with your name and the time. No money moves.",
        settle_confirm: "Settle",
        settled: "Settled",
        why: "Why",
        who: "Who",
        pages: "More payments",
        next: "Earlier ones",
        none: Words {
            title: "Nothing needs a look",
            body: "Payments without an order, second, late, held and unreadable payments, refunds without an end, and endpoints that get no events appear here.",
        },
        webhooks: "Webhooks received",
        webhooks_hint: "The latest ones. What a webhook says is never believed; PortOne is asked. A test call from PortOne's console comes with a number that no order has.",
        no_webhooks: "None has come yet. Set this server's webhook address in PortOne's console and try it with a test call.",
        arrival_head: "What became of it",
        arrival: |arrival| match arrival {
            Arrival::Matched => "Belongs to an order",
            Arrival::Waiting => "No order has this number yet; waiting for one",
            Arrival::NoOrder => "No order has this number",
            Arrival::OtherGeneration => {
                "The order is paid through the other version of PortOne; not followed"
            }
            Arrival::TestCall => "Test call from PortOne's console",
        },
    },
    order: OrderText {
        title: |id| format!("Order {id}"),
        back: "Orders",
        not_found: Words {
            title: "There is no such order",
            body: "No order was made with this number. Please check it.",
        },
        refunded: |part, whole| format!("{part} of {whole} refunded"),
        buyer_sees: "What the buyer sees",
        seen_expired: "The page says that nothing is paid and that the time to pay has run out.",
        seen_closed: "The page says that nothing is paid and that the shop has closed the order.",
        status_page: "Open the result page",
        pay_page: "Open the pay page",
        personal_link: "Whoever has the link to the result page can see the result. Send it to the buyer only.",
        notes: "Notes",
        note: "New note",
        note_hint: "For the people of the shop alone. Kept with your name and the time, and cannot be changed. At most 500 characters.",
        leave_note: "Leave the note",
        erased_note: "Erased: the time to keep it is over.",
        transactions: "Payment attempts",
        no_transactions: "No attempt yet. One appears here when a payment window is opened.",
        accepted_one: "Paid this order",
        portone_status: "PortOne status",
        transaction_id: "Transaction",
        paid_amount: "Amount",
        cancelled_amount: "Refunded",
        method: "Method",
        method_name: "Card or bank",
        gateway: "Gateway",
        approval_number: "Approval number",
        channel: "Channel",
        live: "Live",
        test: "Test",
        not_told: "PortOne did not say",
        fail_reason: "Reason in the gateway's words",
        account: "Account to deposit to",
        account_deadline: "Deposit deadline",
        paid_at: "Paid",
        first_seen: "First seen",
        checked: "Last checked",
        receipt: "Open the receipt",
        why: "Why we say so",
        check: "Check",
        expected: "Order",
        actual: "PortOne",
        result: "Result",
        passed: "Match",
        failed: "Mismatch",
        no_checks: "Nothing was checked yet.",
        events: "Events for the shop",
        events_note: "Each is written together with the change it tells of.",
        no_events: "There was nothing to tell yet.",
        deliveries: "How they were sent to your server",
        event: "Event",
        status_after: "Status then",
        time: "Time",
        event_id: "Event number",
        facts: "Order details",
        payment_id: "Order number",
        name: "Item",
        amount: "Amount",
        portone: "PortOne version",
        asked_method: "Requested method",
        channel_key: "Channel key",
        no_channel_key: "This order has no channel key, so the buyer cannot open the payment window. Make a new order with the channel key from PortOne's console as its channel_key.",
        created: "Created",
        updated: "Changed",
        expires: "To be paid by",
        expired: "Expired",
        closed: "Closed",
        next_check: "Next check",
        no_next_check: "None planned",
        prepared: "Amount registered in advance",
        not_prepared: "Not registered yet",
        return_url: "Return address",
        locale: "Language",
        window_params: "Told to the payment window as well",
        metadata: "The shop's own data",
        none: "None",
        buyer: "Buyer",
        buyer_note: "Personal data. It is shown on this page only.",
        buyer_name: "Name",
        buyer_email: "Email",
        buyer_tel: "Telephone",
        actions: "What you can do",
        sync: "Ask PortOne now",
        sync_note: "Fetches the payment's state from PortOne and checks it again. No money moves.",
        close: "Close this order",
        close_note: "A closed order takes no payment any more and cannot be opened again. If a window that is still open is used to pay, the payment is marked late. PortOne is asked once more before closing.",
        close_confirm: "Close the order",
    },
    refund: RefundText {
        heading: "Refunds",
        start: "Refund",
        title: |id| format!("Refund order {id}"),
        back: "Back to the order",
        nothing: Words {
            title: "There is nothing to refund here",
            body: "The payment is refunded in full already, or no money came in. Please look at the order again.",
        },
        left: "Left to refund",
        amount: |currency| format!("Amount to refund ({currency})"),
        amount_hint: |left| format!("Up to {left}. No money moves yet."),
        next: "Next",
        whole: |left| format!("Refund all of it ({left})"),
        confirm_title: |amount| format!("Refund {amount}"),
        confirm_note: "The button asks PortOne for the refund at once. It cannot be undone.",
        going_back: "Goes back",
        left_after: "Left afterwards",
        reason: "Reason",
        reason_hint: "PortOne is told. Some gateways show it to the buyer.",
        account: "Account to refund to",
        account_optional: "Account to refund to (optional)",
        account_hint: "Money that was deposited to a virtual account cannot go back the way it came. The account is deleted when the refund is over.",
        account_offer: "Some gateways want an account for a refund of a transfer or of a telephone’s bill. Fill it in for those only. It is deleted when the refund is over.",
        tax_free: |currency| format!("Of it, free of tax ({currency}, optional)"),
        tax_free_hint: "For payments with tax-free goods only. Left empty, a refund of all that is left goes by what PortOne V2 knows to be free of tax, and any other counts as taxed.",
        bank: "Bank",
        bank_code_hint: "The gateway’s own code of the bank. Where a list opens, choose the bank by its name. KG Inicis, for one, calls Kookmin Bank 04.",
        choose_bank: "Choose a bank",
        number: "Account number",
        holder: "Account holder",
        tel: "The holder’s telephone number (if the gateway wants it)",
        submit: |amount| format!("Refund {amount} now"),
        change: "Change the amount",
        fault: |fault, left| {
            match fault {
            RefundFault::NoAmount => "Please enter an amount above 0, in figures.".to_owned(),
            RefundFault::TooFine(0) => "This currency has no decimals.".to_owned(),
            RefundFault::TooFine(1) => "This currency has one decimal at most.".to_owned(),
            RefundFault::TooFine(most) => format!("This currency has {most} decimals at most."),
            RefundFault::TooMuch(_) => "That is more than is left to refund.".to_owned(),
            RefundFault::Changed(_) => format!(
                "What can be given back has changed: now it is {left}. Nothing was refunded. Look at the figures again before you go on."
            ),
            RefundFault::NoReason => "Please say why, in 1 to 200 characters.".to_owned(),
            RefundFault::TaxFree(TaxFreeFault::Needed) => {
                "A part of this payment is free of tax. Please say how much of the refund is. Nothing was refunded."
                    .to_owned()
            }
            RefundFault::TaxFree(TaxFreeFault::TooMuch) => {
                "The tax-free part, or the taxed rest, is more than can be refunded. Nothing was refunded."
                    .to_owned()
            }
            RefundFault::TaxFreeUnread => {
                "Please write the tax-free part in figures. Nothing was refunded.".to_owned()
            }
            RefundFault::NoAccount => {
                "Please fill in bank, number and holder of the account. Nothing was refunded."
                    .to_owned()
            }
            RefundFault::UnderWay => {
                "Another refund of this payment is on its way, so nothing was refunded. Please press again when it is over."
                    .to_owned()
            }
            RefundFault::Unasked => {
                "What can be given back could not be confirmed just now, so nothing was refunded. Please press again in a moment."
                    .to_owned()
            }
        }
        },
        state: |state| match state {
            RefundState::Intended => "PortOne is about to be asked",
            RefundState::Calling => "PortOne is being asked",
            RefundState::Requested => "PortOne has taken it",
            RefundState::InDoubt => "Finding out whether it was done",
            RefundState::Done => "Refunded",
            RefundState::Refused => "Refused; no money moved",
            RefundState::NotDone => "Not refunded",
        },
    },
    history: History {
        title: "History",
        newest_first: "Newest first.",
        cut: |shown, all| {
            format!("The newest {shown} of {all} entries are shown. The events API has them all.")
        },
        kind: |kind| match kind {
            EntryKind::OrderCreated => "The order was made",
            EntryKind::Prepared => "The amount was registered at PortOne",
            EntryKind::PrepareFailed => "The amount could not be registered at PortOne",
            EntryKind::Redirect => "The buyer came back from the payment window",
            EntryKind::Webhook => "A webhook came from PortOne",
            EntryKind::Checked => "PortOne's answer was checked",
            EntryKind::CheckFailed => "PortOne could not be asked",
            EntryKind::Transition => "The status changed",
            EntryKind::EvidenceRefused => "PortOne's answer was not used",
            EntryKind::Closed => "The order was closed",
            EntryKind::Expired => "The time to pay ran out",
            EntryKind::Confirmed => "Asked before the approval, we answered to go on",
            EntryKind::ConfirmRefused => "Asked before the approval, we answered to stop",
            EntryKind::RefundRequested => "A refund was asked for",
            EntryKind::RefundDone => "PortOne shows the refund as made",
            EntryKind::RefundRefused => "The refund was refused",
            EntryKind::RefundInDoubt => "It is not known yet whether the refund was made",
            EntryKind::RefundNotDone => "The refund was not made",
        },
        claim_note: "Only a claim: kept for the record, believed by nobody.",
        claimed_status: "Claimed status",
        claimed_amount: "Claimed amount",
        transition: |from, to| format!("{from} → {to}"),
        status: "PortOne status",
        verdict: "Verdict",
        all_passed: |count| format!("All {count} checks match."),
        failed_check: |check, expected, actual| {
            format!("{check} does not match: order {expected}, PortOne {actual}")
        },
        error: "Problem",
        reason: "Reason",
        refusal: |why| match why {
            Refusal::Foreign => "The transaction does not belong to this order.",
            Refusal::TellsNothing => "The status tells nothing yet.",
            Refusal::Stale => "The answer is older than what is known.",
        },
        refund: "Refund",
        trouble: |code| match code {
            "call_lost" => {
                Some("The server stopped before PortOne's answer came. PortOne is asked.")
            }
            "not_shown" => Some("PortOne shows nothing of it. You can ask for a new refund."),
            "settled" => Some(
                "A person said that it was taken care of, and PortOne is not waited for any more.",
            ),
            "not_received" => Some(
                "The payment is cancelled, and the bank could not pay the money into the buyer's account.",
            ),
            "cancellation_failed" => {
                Some("PortOne had taken it, and the gateway did not carry it out.")
            }
            _ => None,
        },
        stop: |why| match why {
            Stop::UnknownOrder => "The order is not paid through this version of PortOne.",
            Stop::Over => "The order was closed, or its time was over.",
            Stop::Paid => "The order had been paid.",
            Stop::Held => "A payment of the order was being looked at.",
            Stop::Amount => "The amount was not the order's.",
            Stop::Unavailable => "The order could not be read in time.",
            Stop::Unreadable => "The question could not be read.",
        },
        noted: "A note was left",
        settled: "What needed attention was marked as settled",
        delivery: |status| match status {
            DeliveryStatus::Pending => "An event waits to be sent to the shop's server",
            DeliveryStatus::Delivered => "The shop's server took an event",
            DeliveryStatus::GivenUp => "An event for the shop's server was given up",
        },
    },
    status: |status| match status {
        OrderStatus::Open => "Open",
        OrderStatus::AwaitingDeposit => "Awaiting deposit",
        OrderStatus::Paid => "Paid",
        OrderStatus::PartiallyRefunded => "Partly refunded",
        OrderStatus::Refunded => "Refunded",
        OrderStatus::Held => "Held",
        OrderStatus::Expired => "Expired",
        OrderStatus::Closed => "Closed",
    },
    status_meaning: |status| match status {
        OrderStatus::Open => "Nothing is paid yet.",
        OrderStatus::AwaitingDeposit => "An account was issued; nothing was deposited yet.",
        OrderStatus::Paid => "We asked PortOne ourselves, and everything matches the order.",
        OrderStatus::PartiallyRefunded => "Paid, and a part was given back.",
        OrderStatus::Refunded => "Paid, and all of it was given back.",
        OrderStatus::Held => {
            "Money came or an account was issued, but something does not match the order. Do not ship; look at the checks below, and refund the transaction if need be."
        }
        OrderStatus::Expired => {
            "The time to pay ran out unpaid. We watch for late payments four more days."
        }
        OrderStatus::Closed => "The shop closed this order. No payment is wanted any more.",
    },
    transaction_status: |status| match status {
        TransactionStatus::Ready => "Ready",
        TransactionStatus::PayPending => "Approval pending",
        TransactionStatus::Failed => "Failed",
        TransactionStatus::Paid => "Paid",
        TransactionStatus::Cancelled => "Cancelled",
    },
    verdict: |verdict| match verdict {
        Verdict::Pending => "Not finished",
        Verdict::AwaitingDeposit => "Awaiting deposit",
        Verdict::Failed => "Failed",
        Verdict::Accepted => "Accepted",
        Verdict::Duplicate => "Second payment",
        Verdict::Late => "Late",
        Verdict::Held => "Held",
    },
    verdict_meaning: |verdict| match verdict {
        Verdict::Pending => "The window is open, or the buyer left it before the end.",
        Verdict::AwaitingDeposit => {
            "An account was issued. This changes by itself when the deposit arrives."
        }
        Verdict::Failed => "PortOne says failed. Some gateways approve later, so we keep watching.",
        Verdict::Accepted => "Everything matches: this is the payment of the order.",
        Verdict::Duplicate => "The order had been paid already. Please refund this transaction.",
        Verdict::Late => {
            "Paid after the order was closed or its time ran out. Decide whether to ship or to refund."
        }
        Verdict::Held => {
            "Something does not match the order, so it was not accepted. Look at the checks below."
        }
    },
    outcome: |outcome| match outcome {
        Outcome::Paid => "The page says that the payment is complete.",
        Outcome::VirtualAccountIssued => {
            "The page shows the account to deposit to, and the deadline."
        }
        Outcome::Pending => "The page says that the payment is awaited or being checked.",
        Outcome::Failed(reason) => match reason {
            FailureReason::BuyerCancelled => "The page says that the payment was cancelled.",
            FailureReason::Declined => "The page says that the card company declined.",
            FailureReason::LimitExceeded => "The page says that the card's limit was exceeded.",
            FailureReason::InsufficientBalance => "The page says that the balance was too low.",
            FailureReason::InvalidCard => "The page says that the card cannot be used.",
            FailureReason::WindowError => "The page says that the payment window did not work.",
            FailureReason::RefusedByShop => "The page says that the shop stopped the payment.",
            FailureReason::Unknown => "The page says that the payment failed.",
        },
        Outcome::Refunded => "The page says that the payment was refunded.",
        Outcome::PartiallyRefunded => "The page says that a part was refunded.",
        Outcome::Held => {
            "The page says that the payment is being looked at and whom to ask. It does not say which check failed."
        }
        Outcome::Duplicate => "The page says that the order was paid twice.",
        Outcome::Late => "The page says that the payment came after its time.",
        Outcome::Unconfirmed => {
            "The page says that the result is not known yet, and not to pay again."
        }
        Outcome::NotFound | Outcome::Invalid => "The page says that there is no such order.",
    },
    check: |check| match check {
        CheckName::TransactionId => "Transaction number",
        CheckName::PaymentId => "Order number",
        CheckName::Unused => "Used for the first time",
        CheckName::Portone => "PortOne version",
        CheckName::Store => "Store",
        CheckName::Currency => "Currency",
        CheckName::Amount => "Amount",
        CheckName::Channel => "Live or test channel",
    },
    check_value: |check, value| match (check, value) {
        (CheckName::Unused, "unused") => Some("first time"),
        (CheckName::Unused, "used") => Some("used by another order"),
        (CheckName::Channel, "live") => Some("live"),
        (CheckName::Channel, "test") => Some("test"),
        (CheckName::Portone, "v1") => Some("V1"),
        (CheckName::Portone, "v2") => Some("V2"),
        (
            CheckName::Channel | CheckName::Currency | CheckName::Portone | CheckName::Store,
            "absent",
        ) => Some("not told"),
        _ => None,
    },
    event: |event| match event {
        EventType::OrderPaid => "Paid",
        EventType::OrderVirtualAccountIssued => "Account issued",
        EventType::OrderPaymentFailed => "Payment failed",
        EventType::OrderHeld => "Held",
        EventType::OrderDuplicatePayment => "Second payment",
        EventType::OrderLatePayment => "Late payment",
        EventType::OrderRefunded => "Refunded",
        EventType::OrderPartiallyRefunded => "Partly refunded",
        EventType::OrderExpired => "Expired",
    },
    gateway_error: |error| match error {
        "unavailable" => Some("PortOne did not answer in time."),
        "garbled" => Some("PortOne's answer could not be read."),
        "unauthorized" => Some("PortOne refused the API keys. Please check the settings."),
        "refused" => Some("PortOne refused the call."),
        "already_paid" => Some("PortOne holds a finished payment under this number already."),
        "not_configured" => Some("This version of PortOne is not configured."),
        _ => None,
    },
    notice: |notice| match notice {
        Notice::Synced => "PortOne was asked and has answered.",
        Notice::Closed => "The order is closed.",
        Notice::Settled => "Marked as settled.",
        Notice::Noted => "The note is kept.",
        Notice::Refunded => "The money was refunded.",
        Notice::RefundUnderWay => "The refund is on its way. Below you see when it is done.",
        Notice::RefundRefused => "The refund was refused, and no money moved. Below you see why.",
        Notice::RefundBefore => {
            "This form was sent before, and nothing more was refunded. Its refund stands below."
        }
        Notice::RefundUnknown => {
            "It is not known whether the refund was taken. Look at the refunds below before you ask for it again."
        }
        Notice::NothingLeft => "Nothing is left to refund.",
        Notice::NoNote => "Please say what was done, in at most 500 characters.",
        Notice::BadNote => "Please write 1 to 500 characters.",
        Notice::TooManyNotes => "The order has 50 notes, as many as it may have.",
        Notice::SettledBefore => "Somebody settled this before. What was said first stays.",
        Notice::NothingThere => "This does not need a look any more.",
        Notice::ItemChanged => {
            "This has changed meanwhile, so nothing was settled. Look at the amounts again before you do."
        }
        Notice::Unconfirmed => {
            "PortOne did not answer. Below is what was known before; it is asked again in a moment."
        }
        Notice::Paid => "The order is paid, so it cannot be closed.",
        Notice::Busy => {
            "Somebody else is at this order, or too much is going on. Please look at the order again in a moment."
        }
        Notice::Unavailable => "This does not work right now. Please try again in a moment.",
    },
    who: |who| match who {
        Who::Buyer => "Buyer".to_owned(),
        Who::Webhook => "PortOne webhook".to_owned(),
        Who::Confirm => "PortOne, before the approval".to_owned(),
        Who::Worker => "Automatic check".to_owned(),
        Who::Refund => "Refund in progress".to_owned(),
        Who::Policy => "Rule for payments that do not match".to_owned(),
        Who::Sweep => "Daily comparison with PortOne".to_owned(),
        Who::Command => "Command line".to_owned(),
        Who::Stranger => "Not signed in".to_owned(),
        Who::Shop(name) => format!("Shop ({name})"),
        Who::Staff(email) => format!("Staff ({email})"),
        Who::Unrecognized(text) => text.to_owned(),
    },
};
