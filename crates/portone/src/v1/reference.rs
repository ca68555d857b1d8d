//! What goes with payments: how one is made up, which banks and card companies there are, which PGs the merchant has.

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::{
    client::{Call, Client},
    id::ImpUid,
};
use crate::{
    Error,
    json::{self, Malformed, Object},
};

/// What a payment is made up of, after cancellations (`GET /payments/{imp_uid}/balance`). Amounts are in the currency's major
/// unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balance {
    /// What was paid at first.
    pub amount: Decimal,
    /// How it is made up now.
    pub parts: BalanceParts,
    /// How it was made up before, step by step.
    pub histories: Vec<BalanceHistory>,
}

/// How a payment was made up at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BalanceHistory {
    /// How.
    pub parts: BalanceParts,
    /// When.
    pub created: Option<Timestamp>,
}

/// A payment by where the money came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BalanceParts {
    /// What a cash receipt was issued for.
    pub cash_receipt: BalancePart,
    /// Card, transfer, virtual account or telephone bill.
    pub primary: BalancePart,
    /// Points of the PG or the card company.
    pub secondary: BalancePart,
    /// Discounts of the PG or the card company.
    pub discount: BalancePart,
}

/// An amount by how it is taxed. PortOne subtracts what was given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BalancePart {
    /// Price that is free of tax.
    pub tax_free: Decimal,
    /// Price without its tax.
    pub supply: Decimal,
    /// Value added tax.
    pub vat: Decimal,
    /// Service charge.
    pub service: Decimal,
}

/// A bank or a card company by its standard code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandardCode {
    /// Code of the Korea Financial Telecommunications and Clearings Institute.
    pub code: String,
    /// Name.
    pub name: String,
}

/// A PG that the merchant has set up in PortOne's console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PgSetting {
    /// The PG.
    pub pg_provider: String,
    /// The merchant's id at the PG.
    pub pg_id: String,
    /// Whether it is for tests. `None` if PortOne did not say.
    pub sandbox: Option<bool>,
    /// What it is for: `payment`, `api_payment` or `certification`.
    pub setting_type: String,
    /// The merchant's name for it.
    pub channel_name: Option<String>,
    /// The key by which the merchant's page chooses it.
    pub channel_key: Option<String>,
}

impl Client {
    /// What a payment is made up of. PortOne knows it of PAYCO's payments alone and refuses the question about others.
    pub async fn balance(&self, imp_uid: &ImpUid) -> Result<Balance, Error> {
        let url = self.url(&["payments", imp_uid.as_str(), "balance"]);
        let response = self.response(Call::get(url)).await?;
        Ok(Balance::parse(&response)?)
    }

    /// Every bank that has a standard code.
    pub async fn banks(&self) -> Result<Vec<StandardCode>, Error> {
        self.codes("banks").await
    }

    /// Every card company that has a standard code.
    pub async fn cards(&self) -> Result<Vec<StandardCode>, Error> {
        self.codes("cards").await
    }

    /// Every PG that the merchant has set up.
    pub async fn pg_settings(&self) -> Result<Vec<PgSetting>, Error> {
        let response = self.response(Call::get(self.url(&["users", "pg"]))).await?;
        let elements = json::elements("the list", &response)?;
        let settings = elements.into_iter().map(PgSetting::parse);
        Ok(settings.collect::<Result<_, _>>()?)
    }

    async fn codes(&self, segment: &str) -> Result<Vec<StandardCode>, Error> {
        let response = self.response(Call::get(self.url(&[segment]))).await?;
        let elements = json::elements("the list", &response)?;
        let codes = elements.into_iter().map(StandardCode::parse);
        Ok(codes.collect::<Result<_, _>>()?)
    }
}

impl Balance {
    fn parse(json: &str) -> Result<Self, Malformed> {
        let object = Object::parse("the balance", json)?;
        Ok(Self {
            amount: object.required_amount("amount")?,
            parts: BalanceParts::parse(&object)?,
            histories: object
                .list("histories")?
                .into_iter()
                .map(BalanceHistory::parse)
                .collect::<Result<_, _>>()?,
        })
    }
}

impl BalanceHistory {
    fn parse(json: &str) -> Result<Self, Malformed> {
        let object = Object::parse("an entry of histories", json)?;
        Ok(Self {
            parts: BalanceParts::parse(&object)?,
            created: object.unix_seconds("created"),
        })
    }
}

impl BalanceParts {
    fn parse(object: &Object<'_>) -> Result<Self, Malformed> {
        let part = |key| BalancePart::parse(&object.required_object(key)?);
        Ok(Self {
            cash_receipt: part("cash_receipt")?,
            primary: part("primary")?,
            secondary: part("secondary")?,
            discount: part("discount")?,
        })
    }
}

impl BalancePart {
    fn parse(object: &Object<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            tax_free: object.required_amount("tax_free")?,
            supply: object.required_amount("supply")?,
            vat: object.required_amount("vat")?,
            service: object.required_amount("service")?,
        })
    }
}

impl StandardCode {
    fn parse(json: &str) -> Result<Self, Malformed> {
        let object = Object::parse("a code", json)?;
        Ok(Self {
            code: object.required_text("code")?,
            name: object.required_text("name")?,
        })
    }
}

impl PgSetting {
    fn parse(json: &str) -> Result<Self, Malformed> {
        let object = Object::parse("a setting", json)?;
        Ok(Self {
            pg_provider: object.required_text("pg_provider")?,
            pg_id: object.required_text("pg_id")?,
            sandbox: object.strict_flag("sandbox")?,
            setting_type: object.required_text("type")?,
            channel_name: object.text("channel_name"),
            channel_key: object.text("channel_key"),
        })
    }
}
