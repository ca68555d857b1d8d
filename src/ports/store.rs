//! What is remembered: orders with their transactions, history and events; refunds; received webhooks; who may come in.
//!
//! Every implementation passes one contract suite (`tests/it/store*.rs`).

use async_trait::async_trait;
use jiff::Timestamp;
use thiserror::Error;

use crate::domain::access::Role;
use crate::domain::event::Event;
use crate::domain::history::{Actor, Entry, StoredEntry};
use crate::domain::ids::{PaymentId, RefundId, StatusToken, TransactionId};
use crate::domain::method::PayMethod;
use crate::domain::money::Currency;
use crate::domain::one_time_code::CodeSecret;
use crate::domain::order::{Order, OrderStatus, Portone};
use crate::domain::refund::Refund;
use crate::domain::transaction::Transaction;
use crate::ports::requests::NamedRequest;

/// Why the store did not do what it was asked.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The database failed, is full, locked for too long, or gone. Trying again may help.
    #[error("the database failed")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A row holds what this version cannot read. Trying again does not help.
    #[error("column {column} of table {table} holds an unreadable value")]
    Corrupt {
        /// Table of the row.
        table: &'static str,
        /// Column of the value.
        column: &'static str,
    },
}

/// An order with its transactions, read at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// The order.
    pub order: Order,
    /// Its transactions, first seen first.
    pub transactions: Vec<Transaction>,
}

/// What came of creating an order.
#[derive(Debug, Clone, PartialEq)]
pub enum Created {
    /// It is there now.
    New,
    /// An order with the id was there before; nothing was written.
    Existing(Box<Snapshot>),
}

/// One change of an order: all of it or nothing is written.
#[derive(Debug, Clone, PartialEq)]
pub struct Commit {
    /// The order as it is to be. Its `version` is the one the change was decided on; the stored row gets the next.
    pub order: Order,
    /// Transactions to insert or replace.
    pub transactions: Vec<Transaction>,
    /// History to append.
    pub entries: Vec<Entry>,
    /// Events to put into the outbox. An event id that is there already is left as it is.
    pub events: Vec<Event>,
}

/// What came of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Committed {
    /// Written.
    Done,
    /// Somebody else changed the order since: nothing was written, load and decide again.
    Conflict,
    /// One of the transactions belongs to another order: nothing was written.
    TransactionTaken,
}

/// Which orders to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrderFilter {
    /// Only these.
    pub status: Option<OrderStatus>,
    /// What is searched for; an empty one is none.
    pub query: Option<String>,
    /// Where it is searched for.
    pub reach: Reach,
    /// Created at or after.
    pub from: Option<Timestamp>,
    /// Created before.
    pub to: Option<Timestamp>,
    /// Paid this way: by the transaction that paid it; while none has, by any of its transactions, or else as the shop asked.
    pub method: Option<PayMethod>,
    /// Of this amount.
    pub amount: Option<AmountRange>,
    /// Only orders of which something needs attention at this time.
    pub needs_attention_at: Option<Timestamp>,
    /// Only orders listed after this one (newest first by `created_at`, then `payment_id` descending).
    pub after: Option<Place>,
    /// At most this many, 1 to 100.
    pub limit: u32,
}

/// Where a search looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reach {
    /// `payment_id` begins with the query, or one of the order's transactions has exactly this id.
    #[default]
    Ids,
    /// As well, a transaction has this approval number, or the buyer's telephone number ends in these four digits.
    Staff,
}

/// Which amounts, in minor units of one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AmountRange {
    /// Of which currency.
    pub currency: Currency,
    /// At least.
    pub min: Option<i64>,
    /// At most.
    pub max: Option<i64>,
}

/// A place in the list of orders: right after the order of this time and id.
pub type Place = (Timestamp, PaymentId);

/// A page of the list of orders.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Listed {
    /// Orders, newest first.
    pub orders: Vec<Order>,
    /// Where to look further: after the last order when another one is known to follow, and otherwise where looking stopped. `None`
    /// when everything was looked at.
    pub further: Option<Place>,
}

/// An event in the outbox.
#[derive(Debug, Clone, PartialEq)]
pub struct OutboxEvent {
    /// Order in which the order's events were written.
    pub seq: i64,
    /// The event.
    pub event: Event,
}

/// Orders with everything that belongs to them.
#[async_trait]
pub trait OrderStore: Send + Sync {
    /// Reads a row, to know that the store answers.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Writes a new order with its first history entry, unless the id exists.
    async fn create_order(&self, order: &Order, entry: &Entry) -> Result<Created, StoreError>;

    /// Reads an order and its transactions in one consistent view.
    async fn find_order(&self, id: &PaymentId) -> Result<Option<Snapshot>, StoreError>;

    /// Reads the order that a status token opens.
    async fn find_order_by_token(
        &self,
        token: &StatusToken,
    ) -> Result<Option<Snapshot>, StoreError>;

    /// The order that has used a transaction.
    async fn find_owner(&self, id: &TransactionId) -> Result<Option<PaymentId>, StoreError>;

    /// Writes a change in one durable transaction, if the order's version is still the one it was decided on.
    async fn commit(&self, commit: &Commit) -> Result<Committed, StoreError>;

    /// Appends history without touching the order. Entries whose `once_key` the order already has are left out, and so are
    /// entries of a kind that the order has `per_kind_max` of: what strangers cause must not crowd out the rest.
    async fn append_history(
        &self,
        id: &PaymentId,
        entries: &[Entry],
        per_kind_max: u32,
    ) -> Result<(), StoreError>;

    /// The whole history, oldest first.
    async fn history(&self, id: &PaymentId) -> Result<Vec<StoredEntry>, StoreError>;

    /// The order's events, oldest first.
    async fn outbox(&self, id: &PaymentId) -> Result<Vec<OutboxEvent>, StoreError>;

    /// Lists orders, newest first. MUST cost no more at a million orders than at a thousand: it may stop looking before the page
    /// is full, and says where.
    async fn list_orders(&self, filter: &OrderFilter) -> Result<Listed, StoreError>;

    /// Reads these transactions, as far as they are there, in no order. At most 100.
    async fn find_transactions(
        &self,
        ids: &[TransactionId],
    ) -> Result<Vec<Transaction>, StoreError>;

    /// Takes up to `limit` orders whose `next_check_at` is due and moves it to `lease_until`, so that no other worker takes
    /// them before. Does not touch the version.
    async fn lease_due(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> Result<Vec<PaymentId>, StoreError>;

    /// Sets when PortOne is asked again, and the count of checks without change; not a change of the order's state, so it
    /// does not touch the version. Nothing is written when the order's version is not `decided_on` any more: whoever changed
    /// it has set a time of its own, and news that come late must not undo it.
    async fn schedule_check(
        &self,
        id: &PaymentId,
        decided_on: i64,
        next_check_at: Option<Timestamp>,
        checks_without_change: i64,
    ) -> Result<(), StoreError>;

    /// Notes that the amount is registered at PortOne. Does not touch the version.
    async fn mark_prepared(&self, id: &PaymentId, at: Timestamp) -> Result<(), StoreError>;
}

/// A webhook as it was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// When.
    pub at: Timestamp,
    /// Which generation sent it.
    pub portone: Portone,
    /// The sender's name for the message, the same in all its deliveries; V1's messages have none.
    pub webhook_id: Option<String>,
    /// The payment it speaks of.
    pub payment_id: PaymentId,
    /// The transaction it speaks of.
    pub transaction_id: Option<TransactionId>,
    /// The status it claims, cut and cleaned. Decides nothing.
    pub claimed_status: Option<String>,
}

/// A received webhook that waits to be worked off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxEntry {
    /// Key in the inbox.
    pub id: i64,
    /// Which generation sent it.
    pub portone: Portone,
    /// The payment it speaks of.
    pub payment_id: PaymentId,
    /// The transaction it speaks of.
    pub transaction_id: Option<TransactionId>,
    /// The status it claims.
    pub claimed_status: Option<String>,
    /// When it came.
    pub received_at: Timestamp,
    /// How often it was tried.
    pub attempts: i64,
    /// Which lease this is: 0 from the receipt on, one more whenever somebody takes the webhook or wakes it.
    pub lease: i64,
}

/// What became of a received webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InboxResult {
    /// The order was synced.
    Done,
    /// Given up: no such order within the waiting time (PortOne's own test calls end here), or one of another generation.
    Dropped,
    /// Try again at this time.
    Again(Timestamp),
}

/// Webhooks on disk before they are acknowledged.
#[async_trait]
pub trait InboxStore: Send + Sync {
    /// Writes a webhook durably and returns its key, or `None` when a message with its `webhook_id` is there already. `try_at`
    /// is when a worker takes it if nobody did before.
    async fn receive(
        &self,
        received: &Received,
        try_at: Timestamp,
    ) -> Result<Option<i64>, StoreError>;

    /// Writes what became of it, if `lease` is still the last one; `Again` also counts an attempt. Who held the webhook for
    /// too long is too late: another one has taken it, or its order has been made meanwhile and it waits to be tried again.
    async fn settle(&self, id: i64, lease: i64, result: InboxResult) -> Result<(), StoreError>;

    /// Takes up to `limit` waiting webhooks that are due, moving them to `lease_until`.
    async fn lease_inbox(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> Result<Vec<InboxEntry>, StoreError>;

    /// Whether a webhook waits and nobody has taken it yet: whoever takes it looks after this was asked.
    async fn is_untaken(&self, id: i64) -> Result<bool, StoreError>;

    /// Makes every waiting webhook of a payment due at `now`: its order has just been made. Leases end, too: who looked
    /// before the order was there must not put the webhook off for hours.
    async fn wake_inbox(&self, id: &PaymentId, now: Timestamp) -> Result<(), StoreError>;

    /// Removes what the inbox need not keep, at most `limit` of each; says how much. That is what was settled and came
    /// before `settled_before`, and of the waiting webhooks whose payment no order knows all but `unknown_max`: unsigned
    /// ones (V1) go before signed ones, old ones before new ones. A waiting webhook of an order is never removed.
    async fn purge_inbox(
        &self,
        settled_before: Timestamp,
        unknown_max: u32,
        limit: u32,
    ) -> Result<u64, StoreError>;
}

/// What came of writing an intent to give money back.
#[derive(Debug, Clone, PartialEq)]
pub enum Intended {
    /// It is on disk.
    Written,
    /// The order has a refund with this idempotency key; nothing was written.
    KeyInUse(Box<Refund>),
    /// The shop named another request so; nothing was written.
    NameInUse,
    /// Another refund of the transaction is in flight, or was when the balance was read; nothing was written.
    UnderWay,
    /// More than the transaction holds by what is stored; nothing was written.
    TooMuch,
}

/// What came of moving a refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// Written.
    Done,
    /// Somebody else moved it since: nothing was written, load and decide again.
    Conflict,
}

/// Refunds, on disk before PortOne is called.
#[async_trait]
pub trait RefundStore: Send + Sync {
    /// Writes an intent with its history entry in one durable transaction, in line with everybody who changes the order. MUST
    /// refuse a second refund in flight of one transaction, one whose balance knows of less given back than the stored
    /// transaction, and more than that holds. The name of the request is kept with it, as
    /// [`RequestStore`](super::requests::RequestStore) does, in the same transaction: a request that comes to nothing leaves its
    /// name free.
    async fn intend(
        &self,
        refund: &Refund,
        entry: &Entry,
        name: Option<&NamedRequest>,
    ) -> Result<Intended, StoreError>;

    /// Reads a refund.
    async fn find_refund(&self, id: &RefundId) -> Result<Option<Refund>, StoreError>;

    /// Reads the refund of an order that was asked for with this idempotency key.
    async fn find_refund_by_key(
        &self,
        id: &PaymentId,
        key: &str,
    ) -> Result<Option<Refund>, StoreError>;

    /// The refunds of an order, first asked for first.
    async fn refunds(&self, id: &PaymentId) -> Result<Vec<Refund>, StoreError>;

    /// Writes a refund's state, and what the history tells of it, in one durable transaction, if the refund's version is still
    /// the one it was decided on. An account that is gone from `refund` MUST be gone from the store.
    async fn move_refund(
        &self,
        refund: &Refund,
        entry: Option<&Entry>,
    ) -> Result<Moved, StoreError>;

    /// Takes up to `limit` refunds that are due and moves them to `lease_until`, so that no other worker takes them before. Does
    /// not touch the version.
    async fn lease_refunds(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> Result<Vec<Refund>, StoreError>;

    /// Makes the order's refunds that wait to be shown by PortOne due at `now`: something of the order was given back. Does not
    /// touch the version.
    async fn wake_refunds(&self, id: &PaymentId, now: Timestamp) -> Result<(), StoreError>;
}

/// A person who may sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Key.
    pub id: i64,
    /// Lower-case e-mail address.
    pub email: String,
    /// Argon2id hash in PHC format.
    pub password_hash: String,
    /// What the person may do.
    pub role: Role,
    /// Until when the password counts, when somebody else has made it.
    pub password_until: Option<Timestamp>,
    /// What has to be given beside the password.
    pub second_factor: Option<SecondFactor>,
}

/// What has to be given beside a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecondFactor {
    /// What codes are made with.
    pub secret: CodeSecret,
    /// Step of the last code that was used.
    pub used_step: Option<i64>,
    /// Recovery codes that were not used.
    pub recovery_left: i64,
}

/// A person as the list of people shows one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Row id.
    pub id: i64,
    /// Lower-case e-mail address.
    pub email: String,
    /// What the person may do.
    pub role: Role,
    /// Since when the person may not sign in.
    pub disabled_at: Option<Timestamp>,
    /// Until when the password counts, when somebody else has made it.
    pub password_until: Option<Timestamp>,
    /// When the person was added.
    pub created_at: Timestamp,
    /// When one of the sessions that are open was last seen.
    pub seen_at: Option<Timestamp>,
    /// Whether a code has to be given beside the password.
    pub has_second_factor: bool,
}

/// A person to add.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// Lower-case e-mail address.
    pub email: String,
    /// Argon2id hash in PHC format.
    pub password_hash: String,
    /// What the person may do.
    pub role: Role,
    /// Until when the password counts; `None` is for good.
    pub password_until: Option<Timestamp>,
}

/// What is to become of a person. All but a role's change end the person's sessions.
#[derive(Debug, Clone)]
pub enum UserChange {
    /// Another role, which counts from the next request on.
    Role(Role),
    /// May not sign in any more.
    Disable,
    /// May sign in again.
    Enable,
    /// Another password.
    Password {
        /// Argon2id hash in PHC format.
        hash: String,
        /// The hash that it takes the place of, when it may take the place of no other.
        before: Option<String>,
        /// Until when it counts; `None` is for good.
        until: Option<Timestamp>,
    },
    /// Every session ends.
    SignOut,
    /// A code has to be given beside the password, from now on.
    SecondFactor {
        /// What codes are made with.
        secret: CodeSecret,
        /// Step of the code that proved that the person has the secret.
        step: i64,
        /// SHA-256 of each recovery code.
        recovery: Vec<[u8; 32]>,
    },
    /// SHA-256 of each recovery code, in the place of those that were there. Only who has a second factor has any.
    RecoveryCodes(Vec<[u8; 32]>),
    /// The password alone is enough.
    DropSecondFactor,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserChanged {
    /// Written.
    Done,
    /// Nobody has this id, or not this password any more.
    NotFound,
    /// Nobody would be left who may do everything: nothing was written.
    LastOwner,
}

/// How a session begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// Somebody signed in.
    SignIn,
    /// Where a change of one's own account has ended every session, this one among them.
    Again,
}

/// A key to add.
#[derive(Debug, Clone)]
pub struct NewApiKey {
    /// What the key is for.
    pub name: String,
    /// SHA-256 of the key.
    pub hash: [u8; 32],
    /// How the key begins.
    pub hint: String,
}

/// How many keys there may be once one is added.
#[derive(Debug, Clone, Copy)]
pub struct KeyRoom {
    /// Keys of one name, the added one included.
    pub of_name: u32,
    /// Keys in all, the added one included.
    pub in_all: u32,
}

/// A key as the list of keys shows one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptKey {
    /// The beginning of its hash, in hexadecimal digits.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// How it begins.
    pub hint: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last used, to the hour.
    pub last_used_at: Option<Timestamp>,
}

/// A shop's key, without the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Name given at creation.
    pub name: String,
}

/// Who may come in: people with sessions, shops with keys. Tokens and keys are stored as SHA-256 alone.
///
/// Every change of who may come in, every sign-in and every use of a recovery code MUST stand in the audit log
/// ([`AuditStore`](super::audit::AuditStore)), written in the same transaction.
#[async_trait]
pub trait AccessStore: Send + Sync {
    /// Adds a person as an owner, or gives an existing one a new password (and ends that person's sessions, and lets one who
    /// was disabled in again). A role that is named is the person's from then on. Done by a command.
    async fn put_user(
        &self,
        email: &str,
        password_hash: &str,
        role: Option<Role>,
        at: Timestamp,
    ) -> Result<UserChanged, StoreError>;

    /// Adds a person; `false` when there is one with the address.
    async fn add_user(&self, new: &NewUser, by: &Actor, at: Timestamp) -> Result<bool, StoreError>;

    /// Changes a person. An owner who is let in is left, whatever is asked for at the same time.
    async fn change_user(
        &self,
        id: i64,
        change: &UserChange,
        by: &Actor,
        at: Timestamp,
    ) -> Result<UserChanged, StoreError>;

    /// Everybody, by address, as many as `limit`.
    async fn users(&self, now: Timestamp, limit: u32) -> Result<Vec<Person>, StoreError>;

    /// Finds a person who may sign in by lower-case address.
    async fn find_user(&self, email: &str) -> Result<Option<User>, StoreError>;

    /// Adds a key; `false` when there is no room for it. The same key again is the same key.
    async fn put_api_key(
        &self,
        new: &NewApiKey,
        room: KeyRoom,
        by: &Actor,
        at: Timestamp,
    ) -> Result<bool, StoreError>;

    /// The keys that open something, the newest first, as many as `limit`.
    async fn api_keys(&self, limit: u32) -> Result<Vec<KeptKey>, StoreError>;

    /// Revokes a key; `false` when none has the id.
    async fn delete_api_key(&self, id: &str, by: &Actor, at: Timestamp)
    -> Result<bool, StoreError>;

    /// Finds a key by its hash, and notes that it was used `now` (at most once an hour).
    async fn find_api_key(
        &self,
        hash: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<ApiKey>, StoreError>;

    /// Opens a session; `false`, and none, when the person's password is another one by now, or the person was disabled.
    async fn put_session(
        &self,
        hash: &[u8; 32],
        user: &User,
        opening: Opening,
        at: Timestamp,
        expires_at: Timestamp,
    ) -> Result<bool, StoreError>;

    /// The person of a session that is neither over (`expires_at`) nor idle (last seen before `idle_since`), and notes
    /// that it was seen `now` (at most once a minute).
    async fn find_session(
        &self,
        hash: &[u8; 32],
        now: Timestamp,
        idle_since: Timestamp,
    ) -> Result<Option<User>, StoreError>;

    /// Ends a session.
    async fn delete_session(&self, hash: &[u8; 32]) -> Result<(), StoreError>;

    /// Keeps in mind who gave the right password and owes a code; `false`, and nothing, when the password is another one by now,
    /// or the person was disabled.
    async fn put_half_sign_in(
        &self,
        hash: &[u8; 32],
        user: &User,
        expires_at: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Who owes a code, until it expires.
    async fn find_half_sign_in(
        &self,
        hash: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<User>, StoreError>;

    /// Forgets one; `false` when it is over already.
    async fn delete_half_sign_in(&self, hash: &[u8; 32]) -> Result<bool, StoreError>;

    /// Notes that the code of a step was used; `false` when it, or a later one, was used before.
    async fn use_code(&self, user_id: i64, step: i64) -> Result<bool, StoreError>;

    /// Uses a recovery code up; `false` when the person has none such.
    async fn use_recovery_code(
        &self,
        user_id: i64,
        hash: &[u8; 32],
        at: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Removes sessions that are over, and sign-ins that stopped half-way.
    async fn purge_sessions(&self, now: Timestamp) -> Result<(), StoreError>;
}

/// Hints that there is work, so that a worker need not wait for its next round. Only hints: one may be lost, one may come for
/// nothing, and the worker's rounds find everything without them.
#[async_trait]
pub trait Signals: Send + Sync {
    /// Returns when a webhook became due or an event was put into an outbox, by this server or another one on the same
    /// database, since this was called last. For one waiter.
    async fn work_came(&self);

    /// The next order that another server on the same database told to have moved; this server's own may be among them. For
    /// one waiter. A store that only one server uses hears of none.
    async fn order_moved(&self) -> PaymentId {
        std::future::pending().await
    }
}
