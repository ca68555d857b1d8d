use std::time::Duration;

use url::Url;

use super::{Rules, RulesError, RulesTarget, Wanryo};
use crate::scenario::{Target, TargetError};

/// Which server is looked at, and what it is asked in.
#[derive(Debug)]
pub struct Server {
    /// Its address.
    pub base: Url,
    /// What it is.
    pub kind: ServerKind,
    /// Where the buyer's browser is redirected to, if not where wanryo or the rules have it.
    pub redirect_url: Option<Url>,
    /// Where PortOne sends webhooks, if not where wanryo or the rules have it.
    pub webhook_url: Option<Url>,
    /// How long to wait for what the server does by itself.
    pub patience: Duration,
}

/// What a [`Server`] is.
pub enum ServerKind {
    /// wanryo.
    Wanryo {
        /// From `wanryo key create`.
        api_key: String,
    },
    /// Another one, as its rules describe it.
    Other(Box<Rules>),
}

impl std::fmt::Debug for ServerKind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Wanryo { .. } => "Wanryo",
            Self::Other(_) => "Other",
        })
    }
}

/// Why a [`Server`] cannot be looked at.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The address of wanryo.
    #[error(transparent)]
    Address(#[from] TargetError),
    /// A rule.
    #[error(transparent)]
    Rules(#[from] RulesError),
}

impl Server {
    /// The server as scenarios act against it.
    ///
    /// # Errors
    /// [`ServerError`] if its address carries no path, or for the first rule that cannot be used.
    pub fn target(self) -> Result<Box<dyn Target>, ServerError> {
        match self.kind {
            ServerKind::Wanryo { api_key } => {
                let mut wanryo = Wanryo::new(&self.base, api_key)?.patience(self.patience);
                if let Some(url) = self.redirect_url {
                    wanryo = wanryo.redirect_url(url);
                }
                if let Some(url) = self.webhook_url {
                    wanryo = wanryo.webhook_url(url);
                }
                Ok(Box::new(wanryo))
            }
            ServerKind::Other(mut rules) => {
                if let Some(url) = &self.redirect_url {
                    rules.set_redirect_url(url);
                }
                if let Some(url) = &self.webhook_url {
                    rules.set_webhook_url(url);
                }
                Ok(Box::new(RulesTarget::new(
                    &self.base,
                    *rules,
                    self.patience,
                )?))
            }
        }
    }
}
