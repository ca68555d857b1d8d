//! What people did, each entry chained to the one before by a digest.
//!
//! The chain shows that an entry was changed, taken out, put in or moved by somebody who can write to the database and did not
//! write the rest of the chain anew. Who could do that is found by a digest that was written down elsewhere before.
//!
//! Entries carry no secret, and of personal data only the e-mail addresses of the shop's own people.

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use url::Url;

use super::delivery::EndpointId;
use super::history::{self, Actor, EntryKind};
use super::ids::PaymentId;
use super::order::words;

/// The digest of an entry.
pub type EntryDigest = [u8; 32];

/// Begins what is hashed, so that no digest of something else can be taken for one of an entry.
const PREFIX: &[u8] = b"wanryo audit log entry 1\n";

/// What somebody did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Act {
    /// A person signed in.
    SignedIn,
    /// A wrong password at the sign-in, or an address that nobody may sign in with.
    WrongPassword,
    /// A wrong code of a second factor.
    WrongCode,
    /// Somebody who is signed in was asked for the present password and gave another one.
    WrongPresentPassword,
    /// A recovery code was used up.
    RecoveryCodeUsed,
    /// A person was added.
    UserAdded,
    /// A person has another role.
    RoleChanged,
    /// A person may not sign in any more.
    UserDisabled,
    /// A person may sign in again.
    UserEnabled,
    /// A person has another password.
    PasswordChanged,
    /// A person has a password that somebody else made.
    PasswordHanded,
    /// Every session of a person ended.
    SignedOut,
    /// A person's second factor is asked for.
    FactorOn,
    /// A person's second factor is asked for no more.
    FactorOff,
    /// Somebody made recovery codes in the place of those that there were.
    NewRecoveryCodes,
    /// A shop's server has a key.
    KeyMade,
    /// A key opens nothing any more.
    KeyRevoked,
    /// A person closed an order.
    OrderClosed,
    /// A person asked for money to be given back.
    RefundAsked,
    /// Something that needed attention was taken care of.
    Settled,
    /// Events go to another address.
    EndpointAdded,
    /// The address, or which events go there, is different.
    EndpointChanged,
    /// Events go there again.
    EndpointEnabled,
    /// Events go there no more.
    EndpointDisabled,
    /// Events are signed with another secret.
    EndpointRotated,
    /// An address for events is gone.
    EndpointDeleted,
    /// An event is sent again.
    Redelivered,
    /// Many events are sent again.
    RedeliveredMany,
    /// Events that were given up were taken care of.
    Dismissed,
}
words!(Act {
    SignedIn = "signed_in",
    WrongPassword = "wrong_password",
    WrongCode = "wrong_code",
    WrongPresentPassword = "wrong_present_password",
    RecoveryCodeUsed = "recovery_code_used",
    UserAdded = "user_added",
    RoleChanged = "role_changed",
    UserDisabled = "user_disabled",
    UserEnabled = "user_enabled",
    PasswordChanged = "password_changed",
    PasswordHanded = "password_handed",
    SignedOut = "signed_out",
    FactorOn = "factor_on",
    FactorOff = "factor_off",
    NewRecoveryCodes = "new_recovery_codes",
    KeyMade = "key_made",
    KeyRevoked = "key_revoked",
    OrderClosed = "order_closed",
    RefundAsked = "refund_asked",
    Settled = "settled",
    EndpointAdded = "endpoint_added",
    EndpointChanged = "endpoint_changed",
    EndpointEnabled = "endpoint_enabled",
    EndpointDisabled = "endpoint_disabled",
    EndpointRotated = "endpoint_rotated",
    EndpointDeleted = "endpoint_deleted",
    Redelivered = "redelivered",
    RedeliveredMany = "redelivered_many",
    Dismissed = "dismissed",
});

/// How long wrong passwords and codes of an account are counted together.
pub const MISTAKES_TOGETHER: SignedDuration = SignedDuration::from_hours(24);

/// Whether the one of this number is written down: the first, the second, the fourth, the eighth and so on. So somebody who guesses
/// for a whole day, once a minute as the sign-in lets them, leaves eleven entries and not fourteen hundred, and the last of them
/// says how many there were at the least.
#[must_use]
pub const fn is_written_down(mistakes: u64) -> bool {
    mistakes.is_power_of_two()
}

/// An entry to append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// Who, as [`Actor::to_text`] writes it.
    pub by: String,
    /// What.
    pub act: Act,
    /// Whom or what it was done to: an e-mail address of the shop's people, a key's name, an id.
    pub target: Option<String>,
    /// What more there is to say, by act.
    pub detail: Option<String>,
}

impl Entry {
    /// An entry without details.
    #[must_use]
    pub fn new(at: Timestamp, by: &Actor, act: Act, target: &str) -> Self {
        Self {
            at,
            by: by.to_text(),
            act,
            target: Some(target.to_owned()),
            detail: None,
        }
    }

    /// With details.
    #[must_use]
    pub fn with(self, detail: impl Into<String>) -> Self {
        Self {
            detail: Some(detail.into()),
            ..self
        }
    }

    /// What an entry of an order's history says here. The history tells everything of the order by itself; here stands again
    /// what a person did that cannot be undone, because the history is not chained.
    #[must_use]
    pub fn of_history(id: &PaymentId, entry: &history::Entry) -> Option<Self> {
        if !Actor::is_person(&entry.actor) {
            return None;
        }
        let (act, detail) = match entry.kind {
            EntryKind::Closed => (Act::OrderClosed, None),
            EntryKind::RefundRequested => {
                let (amount, currency) = (&entry.data["amount"], &entry.data["currency"]);
                let currency = currency.as_str().unwrap_or_default();
                (Act::RefundAsked, Some(format!("{amount} {currency}")))
            }
            EntryKind::OrderCreated
            | EntryKind::Prepared
            | EntryKind::PrepareFailed
            | EntryKind::Redirect
            | EntryKind::Webhook
            | EntryKind::Checked
            | EntryKind::CheckFailed
            | EntryKind::Transition
            | EntryKind::EvidenceRefused
            | EntryKind::Expired
            | EntryKind::Confirmed
            | EntryKind::ConfirmRefused
            | EntryKind::RefundDone
            | EntryKind::RefundRefused
            | EntryKind::RefundInDoubt
            | EntryKind::RefundNotDone => return None,
        };
        Some(Self {
            at: entry.at,
            by: entry.actor.clone(),
            act,
            target: Some(id.as_str().to_owned()),
            detail,
        })
    }

    /// Something done to an endpoint, with the host of its address: the rest of an address may be a secret.
    #[must_use]
    pub fn of_endpoint(
        at: Timestamp,
        by: &Actor,
        act: Act,
        id: &EndpointId,
        url: Option<&str>,
    ) -> Self {
        let url = url.and_then(|url| Url::parse(url).ok());
        let host = url.as_ref().and_then(Url::host_str).map(str::to_owned);
        Self {
            detail: host,
            ..Self::new(at, by, act, id.as_str())
        }
    }

    /// What of it is stored, and hashed.
    #[must_use]
    pub fn fields(&self) -> Fields {
        Fields {
            at_us: self.at.as_microsecond(),
            actor: self.by.clone(),
            act: self.act.as_str().to_owned(),
            target: self.target.clone(),
            detail: self.detail.clone(),
        }
    }
}

/// What an entry says, as it is stored. Whoever wrote to the database may have left anything here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields {
    /// When, in microseconds since 1970.
    pub at_us: i64,
    /// Who.
    pub actor: String,
    /// A word of [`Act`].
    pub act: String,
    /// See [`Entry::target`].
    pub target: Option<String>,
    /// See [`Entry::detail`].
    pub detail: Option<String>,
}

/// The digest of an entry on top of the one before. Numbers have a fixed length, and each text stands behind its own: no field
/// can run into the next, and one that is empty is not one that is missing.
#[must_use]
pub fn digest(previous: &EntryDigest, id: i64, fields: &Fields) -> EntryDigest {
    let mut hash = Sha256::new()
        .chain_update(PREFIX)
        .chain_update(previous)
        .chain_update(id.to_be_bytes())
        .chain_update(fields.at_us.to_be_bytes());
    let texts = [
        Some(&fields.actor),
        Some(&fields.act),
        fields.target.as_ref(),
        fields.detail.as_ref(),
    ];
    for text in texts {
        match text {
            None => hash.update([0]),
            Some(text) => {
                hash.update([1]);
                hash.update((text.len() as u64).to_be_bytes());
                hash.update(text);
            }
        }
    }
    hash.finalize().into()
}

/// An entry as it is stored, in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its number, from 1 without gaps.
    pub id: i64,
    /// What it says.
    pub fields: Fields,
    /// What is stored as the digest of the entry before.
    pub previous: Vec<u8>,
    /// What is stored as its own.
    pub digest: Vec<u8>,
}

/// Where a chain ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// Number of the last entry; 0 before the first.
    pub id: i64,
    /// Its digest.
    pub digest: EntryDigest,
}

/// The number of the first entry that is not as it was written, or not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BrokenAt(pub i64);

impl End {
    /// What the first entry is chained to.
    pub const BEGINNING: Self = Self {
        id: 0,
        digest: [0; 32],
    };

    /// The end after this entry, when it is the next one.
    fn after(self, link: &Link) -> Result<Self, BrokenAt> {
        let id = self.id.saturating_add(1);
        let digest = digest(&self.digest, id, &link.fields);
        if link.id == id && link.previous == self.digest && link.digest == digest {
            Ok(Self { id, digest })
        } else {
            // A gap is broken where the missing one should be.
            Err(BrokenAt(id.min(link.id)))
        }
    }

    /// Follows the chain through the next entries, in order.
    ///
    /// # Errors
    /// The first that is not the one which was written there.
    pub fn follow(self, links: &[Link]) -> Result<Self, BrokenAt> {
        links.iter().try_fold(self, Self::after)
    }

    /// Whether a chain that was followed to here ends where it is said to end.
    ///
    /// # Errors
    /// The first entry that is missing, or too many.
    pub fn is(self, said: Self) -> Result<(), BrokenAt> {
        if self == said {
            Ok(())
        } else if self.id == said.id {
            Err(BrokenAt(self.id))
        } else {
            Err(BrokenAt(self.id.min(said.id).saturating_add(1)))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;
    use crate::domain::decision::fixtures::at;

    /// Looks at a whole chain, from its first entry to the end that it is said to have.
    fn verify(links: &[Link], end: End) -> Result<(), BrokenAt> {
        End::BEGINNING.follow(links)?.is(end)
    }

    fn fields(number: i64) -> Fields {
        let by = Actor::Staff("kim@example.com".to_owned());
        Entry::new(at(number), &by, Act::OrderClosed, &format!("ORD-{number}")).fields()
    }

    fn chain(length: i64) -> (Vec<Link>, End) {
        let mut end = End::BEGINNING;
        let mut links = Vec::new();
        for id in 1..=length {
            let fields = fields(id);
            let digest = digest(&end.digest, id, &fields);
            links.push(Link {
                id,
                fields,
                previous: end.digest.to_vec(),
                digest: digest.to_vec(),
            });
            end = End { id, digest };
        }
        (links, end)
    }

    /// Writes an entry so that it fits to the one before.
    fn forge(link: &mut Link) {
        let previous = link.previous.as_slice().try_into().unwrap();
        link.digest = digest(&previous, link.id, &link.fields).to_vec();
    }

    #[test]
    fn an_entry_has_its_details_beside_the_rest() {
        let by = Actor::Staff("kim@example.com".to_owned());
        let entry = Entry::new(at(0), &by, Act::RoleChanged, "lee@example.com").with("viewer");

        assert_eq!(entry.detail.as_deref(), Some("viewer"));
        assert_eq!(entry.target.as_deref(), Some("lee@example.com"));
        assert_eq!((entry.at, entry.act), (at(0), Act::RoleChanged));
    }

    #[test]
    fn whatever_is_changed_is_found_where_it_is() {
        let (whole, end) = chain(9);
        assert_eq!(verify(&whole, end), Ok(()));
        assert_eq!(verify(&[], End::BEGINNING), Ok(()));
        let changes: [fn(&mut Link); 11] = [
            |link| link.fields.at_us += 1,
            |link| link.fields.actor = "staff:lee@example.com".to_owned(),
            |link| link.fields.act = "settled".to_owned(),
            |link| link.fields.target = Some("ORD-6".to_owned()),
            |link| link.fields.target = None,
            |link| link.fields.detail = Some(String::new()),
            |link| link.previous = vec![0; 32],
            |link| link.previous = Vec::new(),
            |link| link.digest[31] ^= 1,
            |link| link.digest.truncate(31),
            |link| link.id = 50,
        ];
        for (number, change) in changes.into_iter().enumerate() {
            for place in 0..9 {
                let (mut links, end) = chain(9);
                change(&mut links[place]);
                // The first one has nothing before it, and that is what it says.
                let is_same = links == chain(9).0;
                let found = verify(&links, end);
                let at = i64::try_from(place).unwrap() + 1;
                let expected = if is_same { Ok(()) } else { Err(BrokenAt(at)) };
                assert_eq!(found, expected, "change {number} of entry {at}");
            }
        }
    }

    #[test]
    fn whatever_is_taken_out_put_in_or_moved_is_found() {
        for place in 0..9 {
            let (mut links, end) = chain(9);
            links.remove(place);
            let at = i64::try_from(place).unwrap() + 1;
            assert_eq!(verify(&links, end), Err(BrokenAt(at)), "{at} taken out");

            let (mut links, end) = chain(9);
            let twice = links[place].clone();
            links.insert(place, twice);
            assert_eq!(verify(&links, end), Err(BrokenAt(at)), "{at} twice");

            let (mut links, end) = chain(9);
            let other = (place + 4) % 9;
            let fields = links[place].fields.clone();
            links[place].fields = std::mem::replace(&mut links[other].fields, fields);
            let first = i64::try_from(place.min(other)).unwrap() + 1;
            assert_eq!(verify(&links, end), Err(BrokenAt(first)), "{at} swapped");
        }
        let (links, end) = chain(9);
        for left in 0..9 {
            let at = i64::try_from(left).unwrap() + 1;
            assert_eq!(
                verify(&links[..left], end),
                Err(BrokenAt(at)),
                "the end cut"
            );
        }
        let (_, before) = chain(8);
        assert_eq!(verify(&links, before), Err(BrokenAt(9)), "one more");
        let mut other = end;
        other.digest[0] ^= 1;
        assert_eq!(verify(&links, other), Err(BrokenAt(9)));
    }

    #[test]
    fn an_entry_that_was_written_anew_breaks_the_next() {
        let (mut links, end) = chain(9);
        links[4].fields.actor = "staff:lee@example.com".to_owned();
        forge(&mut links[4]);
        assert_eq!(verify(&links, end), Err(BrokenAt(6)));
        let (mut links, end) = chain(9);
        links[8].fields.actor = "staff:lee@example.com".to_owned();
        forge(&mut links[8]);
        assert_eq!(verify(&links, end), Err(BrokenAt(9)), "the last one");
    }

    #[test]
    fn of_many_mistakes_few_are_written_down() {
        let written: Vec<u64> = (0..1_440).filter(|n| is_written_down(*n)).collect();
        assert_eq!(written, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024]);
    }

    #[test]
    fn no_field_runs_into_the_next() {
        let all = [
            ("a", "b", Some("cd"), None),
            ("a", "b", Some("c"), Some("d")),
            ("a", "b", None, Some("cd")),
            ("a", "b", Some(""), Some("cd")),
            ("a", "b", Some("cd"), Some("")),
            ("ab", "", Some("cd"), None),
            ("", "ab", Some("cd"), None),
            ("a", "bc", Some("d"), None),
            ("a", "b", None, None),
            ("a", "b", Some(""), Some("")),
        ];
        let digests: BTreeSet<_> = all
            .iter()
            .map(|(actor, act, target, detail)| {
                let fields = Fields {
                    at_us: 1,
                    actor: (*actor).to_owned(),
                    act: (*act).to_owned(),
                    target: target.map(str::to_owned),
                    detail: detail.map(str::to_owned),
                };
                digest(&End::BEGINNING.digest, 1, &fields)
            })
            .collect();
        assert_eq!(digests.len(), all.len());
    }

    /// Digests that were written down must go on to be found: the encoding is for good. This one was worked out by another
    /// program, from the description of [`digest`].
    #[test]
    fn the_encoding_stays() {
        let (_, end) = chain(2);
        let digits: String = end
            .digest
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(
            digits,
            "623c8c8090f703de6a9972f5ee611cc817b71f85dcba82414ff070667458426b"
        );
    }

    #[test]
    fn of_an_order_stands_here_what_a_person_did_for_good() {
        let id = PaymentId::parse("ORD-1").unwrap();
        let told = |kind: EntryKind, actor: &str| {
            let data = json!({ "amount": 64_900, "currency": "KRW", "refund_id": "rf_1" });
            let entry = history::Entry {
                at: at(0),
                kind,
                actor: actor.to_owned(),
                data,
                once_key: None,
            };
            let told = Entry::of_history(&id, &entry)?;
            assert_eq!(
                (told.by.as_str(), told.target.as_deref()),
                (actor, Some("ORD-1"))
            );
            Some((told.act, told.detail))
        };
        let kim = "staff:kim@example.com";
        let refund = (Act::RefundAsked, Some("64900 KRW".to_owned()));
        assert_eq!(told(EntryKind::RefundRequested, kim), Some(refund));
        assert_eq!(told(EntryKind::Closed, kim), Some((Act::OrderClosed, None)));
        assert_eq!(told(EntryKind::Checked, kim), None);
        for other in ["shop:web", "policy", "worker", "shop:staff:kim"] {
            assert_eq!(told(EntryKind::RefundRequested, other), None, "{other}");
        }
    }

    #[test]
    fn of_an_address_stands_here_the_host_alone() {
        let id = EndpointId::from_bytes([7; 16]);
        let host = |url| {
            let by = Actor::Shop("web".to_owned());
            Entry::of_endpoint(at(0), &by, Act::EndpointAdded, &id, url).detail
        };
        let url = "https://hooks.shop.example:8443/T0001/secret?token=secret#secret";
        assert_eq!(host(Some(url)).as_deref(), Some("hooks.shop.example"));
        assert_eq!((host(Some("secret")), host(None)), (None, None));
    }
}
