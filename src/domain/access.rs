//! Who may do what in the back office.

use super::order::words;

/// What a person is to the shop, the one that may do least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Looks.
    Viewer,
    /// Works with orders: asks PortOne, closes, gives money back, settles.
    Staff,
    /// Also decides who comes in, and where events go.
    Owner,
}

/// What can be done in the back office.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// See orders, what needs attention, and what was sent where.
    Look,
    /// Ask PortOne about an order.
    Sync,
    /// Leave a note on an order.
    Note,
    /// Close an order.
    Close,
    /// Give money back.
    Refund,
    /// Say that a payment was taken care of.
    Settle,
    /// Send an event again.
    Redeliver,
    /// Say where events go, and with which secret.
    ChangeEndpoints,
    /// Say who may sign in, and as what.
    ManageUsers,
    /// Make and revoke keys of the shop's servers.
    ManageKeys,
    /// See who did what.
    ReadAudit,
    /// Change one's own password, and end one's own sessions.
    OwnAccount,
}

words!(Role {
    Viewer = "viewer",
    Staff = "staff",
    Owner = "owner",
});

impl Role {
    /// The only place that says what a role may do.
    #[must_use]
    pub const fn may(self, deed: Deed) -> bool {
        match deed {
            Deed::Look | Deed::OwnAccount => true,
            Deed::Sync
            | Deed::Note
            | Deed::Close
            | Deed::Refund
            | Deed::Settle
            | Deed::Redeliver => {
                matches!(self, Self::Staff | Self::Owner)
            }
            Deed::ChangeEndpoints | Deed::ManageUsers | Deed::ManageKeys | Deed::ReadAudit => {
                matches!(self, Self::Owner)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_do_what() {
        let table = [
            (Deed::Look, [true, true, true]),
            (Deed::OwnAccount, [true, true, true]),
            (Deed::Sync, [false, true, true]),
            (Deed::Note, [false, true, true]),
            (Deed::Close, [false, true, true]),
            (Deed::Refund, [false, true, true]),
            (Deed::Settle, [false, true, true]),
            (Deed::Redeliver, [false, true, true]),
            (Deed::ChangeEndpoints, [false, false, true]),
            (Deed::ManageUsers, [false, false, true]),
            (Deed::ManageKeys, [false, false, true]),
            (Deed::ReadAudit, [false, false, true]),
        ];
        for (deed, may) in table {
            let of_each: Vec<bool> = Role::ALL.iter().map(|role| role.may(deed)).collect();
            assert_eq!(of_each, may, "{deed:?}");
        }
        for role in Role::ALL {
            assert_eq!(Role::from_word(role.as_str()), Some(*role));
        }
        assert_eq!(Role::from_word("admin"), None);
    }
}
