//! What can happen.

/// The kinds of events, each with its word and how often it is drawn.
macro_rules! kinds {
    ($($(#[$doc:meta])+ $kind:ident = $word:literal, $weight:literal;)+) => {
        /// A kind of event.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind { $($(#[$doc])+ $kind),+ }

        impl Kind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$kind),+];

            /// The word for it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$kind => $word),+ }
            }

            /// How often it is drawn, against the others that are possible.
            #[must_use]
            pub const fn weight(self) -> u64 {
                match self { $(Self::$kind => $weight),+ }
            }
        }
    };
}
kinds! {
    /// The shop makes an order.
    Make = "the shop makes an order", 200;
    /// A buyer, or somebody else, opens PortOne's window.
    Open = "a window opens", 80;
    /// Money arrives, late approvals included.
    Approve = "a payment is approved", 90;
    /// A payment fails.
    Decline = "a payment fails", 35;
    /// An account to deposit to is issued.
    Issue = "an account is issued", 25;
    /// A gateway begins to think.
    Review = "an approval is under review", 25;
    /// Money is given back, in the console.
    GiveBack = "money is given back", 30;
    /// A gateway says that it is about to give money back.
    BeginToGiveBack = "money is about to be given back", 10;
    /// The shop asks for a refund, or for two at once.
    Refund = "the shop asks for a refund", 60;
    /// The shop sends the same request for a refund again.
    RefundAgain = "the shop asks for the same refund again", 15;
    /// A gateway that took its time decides about a refund.
    Decide = "a gateway decides about a refund", 15;
    /// A call to give money back arrives after whoever made it has gone.
    LateCall = "a call to give money back arrives late", 15;
    /// A browser comes back from PortOne.
    Return = "a buyer comes back", 120;
    /// A buyer opens the lasting link.
    Look = "a buyer looks", 40;
    /// A stranger puts ids together.
    Forge = "a stranger forges a return", 40;
    /// A buyer closes a page that has not answered yet.
    CloseTab = "a tab is closed", 20;
    /// A stranger tries many ids.
    Flood = "a stranger floods", 2;
    /// A webhook arrives, in any order.
    Deliver = "a webhook arrives", 80;
    /// A webhook arrives and will come again.
    Repeat = "a webhook arrives, and again later", 30;
    /// A webhook never arrives.
    Lose = "a webhook is lost", 20;
    /// A stranger posts a webhook.
    ForgeWebhook = "a stranger posts a webhook", 20;
    /// PortOne asks right before an approval.
    Confirm = "portone asks before an approval", 15;
    /// Staff press Sync.
    Sync = "staff sync an order", 20;
    /// The shop closes an order.
    Close = "the shop closes an order", 12;
    /// A worker's round.
    Work = "a worker's round", 80;
    /// Some steps of the sweep.
    Sweep = "the sweep goes on", 25;
    /// The database answers a waiting call.
    LetStore = "the database answers", 250;
    /// The database fails a waiting call.
    FailStore = "the database fails", 20;
    /// The database does what a waiting call asks and the answer is lost.
    LoseAnswer = "the database's answer is lost", 20;
    /// PortOne goes on with a waiting call.
    LetPortone = "portone goes on", 250;
    /// PortOne fails a waiting call.
    FailPortone = "portone fails", 30;
    /// Some time passes.
    Wait = "time passes", 60;
    /// Days pass.
    Days = "days pass", 15;
    /// A server dies.
    Crash = "a server dies", 20;
    /// A server starts again.
    Start = "a server starts", 60;
    /// Somebody sets a server's clock.
    TurnClock = "a clock is set", 15;
}
