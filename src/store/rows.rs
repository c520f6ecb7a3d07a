//! How values are stored: read from the columns of a row, and bound to the parameters of a statement.
//!
//! [`row!`] lists the columns of a struct once, next to its fields. Its statements are put together from
//! that list when Squab is compiled, so columns and values cannot get out of order.

use super::Error;
use super::driver::{Row, Value};
use crate::domain::address::QueueAddress;
use crate::domain::message_attributes::{MessageAttribute, MessageAttributes, decode, encode};
use crate::domain::notification::{Signature, SignatureVersion};
use crate::domain::platform::{ApplicationAddress, ApplicationAttributes, EndpointAttributes};
use crate::domain::policy::Policy;
use crate::domain::queue_attributes::{DeduplicationScope, FifoThroughputLimit, QueueAttributes};
use crate::domain::redrive::{RedriveAllowPolicy, RedrivePolicy};
use crate::domain::sns_endpoint::Protocol;
use crate::domain::sns_message::Published;
use crate::domain::subscription_attributes::SubscriptionAttributes;
use crate::domain::topic_address::TopicAddress;
use crate::domain::topic_attributes::TopicAttributes;
use indexmap::IndexMap;
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// The columns of a row, from the first one that has not been read.
pub(super) struct Cells<'r> {
    row: &'r dyn Row,
    next: usize,
}

impl<'r> Cells<'r> {
    /// Returns all columns of a row.
    pub(super) fn of(row: &'r dyn Row) -> Self {
        Self { row, next: 0 }
    }

    /// Reads a value, which may have several columns.
    pub(super) fn read<T: Stored>(&mut self) -> Result<T, Error> {
        T::read(self)
    }

    /// Reads one column, with one of the methods of [`Row`]. NULL is an error.
    fn column<T>(
        &mut self,
        read: impl Fn(&'r dyn Row, usize) -> Result<Option<T>, Error>,
    ) -> Result<T, Error> {
        let column = self.next;
        self.next += 1;
        read(self.row, column)?.ok_or_else(|| unusable(column))
    }
}

fn unusable(column: usize) -> Error {
    Error::Corrupt(format!("column {column} of a row has no usable value"))
}

/// A value that has one or more columns.
pub(super) trait Stored: Sized {
    /// Reads its columns.
    fn read(cells: &mut Cells<'_>) -> Result<Self, Error>;

    /// Adds the values of its columns.
    fn bind<'v>(&'v self, values: &mut Vec<Value<'v>>);
}

/// A value that may be missing, which is NULL in all of its columns.
pub(super) trait Nullable: Stored {
    /// How many columns it has.
    const WIDTH: usize;
}

/// A row that can be inserted.
pub(super) trait Inserted: Stored {
    /// The statement, with a parameter for each column, and those of the extra columns at the end.
    const INSERT: &'static str;
}

/// A row that can be changed.
pub(super) trait Changed: Inserted {
    /// The statement, with a parameter for each column that may change, and the key at the end.
    const UPDATE: &'static str;

    /// Adds the values of its parameters.
    fn bind_changed<'v>(&'v self, values: &mut Vec<Value<'v>>);
}

/// Returns the values of all columns.
pub(super) fn values(stored: &impl Stored) -> Vec<Value<'_>> {
    let mut values = Vec::with_capacity(32);
    stored.bind(&mut values);
    values
}

/// Returns the parameters of [`Changed::UPDATE`].
pub(super) fn changed_values(row: &impl Changed) -> Vec<Value<'_>> {
    let mut values = Vec::with_capacity(32);
    row.bind_changed(&mut values);
    values
}

/// Parameters of a statement, from anything that is a [`Value`].
macro_rules! params {
    ($($value:expr),* $(,)?) => { &[$(crate::store::driver::Value::from($value)),*] };
}

/// The columns of a field, which has its own name unless others are given.
macro_rules! columns {
    ($field:ident) => { stringify!($field) };
    ($field:ident $first:literal $($more:literal)*) => { concat!($first $(, ", ", $more)*) };
}

/// A mark of a parameter for each of these columns.
macro_rules! marks {
    ($field:ident) => { "?" };
    ($field:ident $first:literal) => { "?" };
    ($field:ident $first:literal $($more:literal)+) => { concat!("?, ", marks!($field $($more)+)) };
}

/// Says how a struct is stored in a table: its key, what stays as it was inserted, and what may change;
/// `extra` columns belong to no field. A column has the name of its field unless others are given.
///
/// Defines the macro `$select`, whose result is a statement that reads such rows:
/// `select!("WHERE id = ?1")`, or with further columns after them, `select!("cursor", "WHERE …")`.
macro_rules! row {
    (
        ($dollar:tt $select:ident) $Row:ident in $table:literal {
            $key:ident
            $(, $fixed:ident $(: $($fixed_column:literal)+)?)* $(,)?
        }
        $(changing {
            $first:ident $(: $($first_column:literal)+)?
            $(, $field:ident $(: $($column:literal)+)?)* $(,)?
        })?
        $(extra { $($extra:ident),+ })?
    ) => {
        macro_rules! $select {
            (@columns) => {
                concat!(
                    stringify!($key),
                    $(", ", columns!($fixed $($($fixed_column)+)?),)*
                    $(", ", columns!($first $($($first_column)+)?),
                    $(", ", columns!($field $($($column)+)?),)*)?
                )
            };
            ($dollar rest:literal) => {
                concat!("SELECT ", $select!(@columns), " FROM ", $table, " ", $dollar rest)
            };
            ($dollar more:literal, $dollar rest:literal) => {
                concat!(
                    "SELECT ", $select!(@columns), ", ", $dollar more, " FROM ", $table, " ",
                    $dollar rest
                )
            };
        }

        impl crate::store::rows::Stored for $Row {
            fn read(cells: &mut crate::store::rows::Cells<'_>) -> Result<Self, crate::store::Error> {
                Ok(Self {
                    $key: cells.read()?,
                    $($fixed: cells.read()?,)*
                    $($first: cells.read()?, $($field: cells.read()?,)*)?
                })
            }

            fn bind<'v>(&'v self, values: &mut Vec<crate::store::driver::Value<'v>>) {
                use crate::store::rows::Stored;
                Stored::bind(&self.$key, values);
                $(Stored::bind(&self.$fixed, values);)*
                $(Stored::bind(&self.$first, values); $(Stored::bind(&self.$field, values);)*)?
            }
        }

        impl crate::store::rows::Inserted for $Row {
            const INSERT: &'static str = concat!(
                "INSERT INTO ", $table, " (", $select!(@columns), $($(", ", columns!($extra),)+)?
                ") VALUES (", "?",
                $(", ", marks!($fixed $($($fixed_column)+)?),)*
                $(", ", marks!($first $($($first_column)+)?),
                $(", ", marks!($field $($($column)+)?),)*)?
                $($(", ", marks!($extra),)+)? ")"
            );
        }

        $(
            impl crate::store::rows::Changed for $Row {
                const UPDATE: &'static str = concat!(
                    "UPDATE ", $table, " SET (", columns!($first $($($first_column)+)?),
                    $(", ", columns!($field $($($column)+)?),)* ") = (",
                    marks!($first $($($first_column)+)?),
                    $(", ", marks!($field $($($column)+)?),)*
                    ") WHERE ", stringify!($key), " = ?"
                );

                fn bind_changed<'v>(&'v self, values: &mut Vec<crate::store::driver::Value<'v>>) {
                    use crate::store::rows::Stored;
                    Stored::bind(&self.$first, values);
                    $(Stored::bind(&self.$field, values);)*
                    Stored::bind(&self.$key, values);
                }
            }
        )?
    };
}

/// Says in which order the fields of a struct, or the members of a tuple, have their columns.
macro_rules! fields {
    ($Type:ident { $($field:ident: $Field:ty),+ $(,)? }) => {
        impl crate::store::rows::Nullable for $Type {
            const WIDTH: usize = 0 $(+ <$Field as crate::store::rows::Nullable>::WIDTH)+;
        }

        impl crate::store::rows::Stored for $Type {
            fn read(cells: &mut crate::store::rows::Cells<'_>) -> Result<Self, crate::store::Error> {
                Ok(Self { $($field: cells.read()?),+ })
            }

            fn bind<'v>(&'v self, values: &mut Vec<crate::store::driver::Value<'v>>) {
                $(crate::store::rows::Stored::bind(&self.$field, values);)+
            }
        }
    };
}

/// Says which number stands for each variant of an enum.
macro_rules! numbered {
    ($Type:ident { $($Variant:ident = $number:literal),+ $(,)? }) => {
        impl crate::store::rows::Nullable for $Type {
            const WIDTH: usize = 1;
        }

        impl crate::store::rows::Stored for $Type {
            fn read(cells: &mut crate::store::rows::Cells<'_>) -> Result<Self, crate::store::Error> {
                match cells.read::<i64>()? {
                    $($number => Ok(Self::$Variant),)+
                    other => Err(crate::store::Error::Corrupt(
                        format!("{other} stands for no {}", stringify!($Type))
                    )),
                }
            }

            fn bind<'v>(&'v self, values: &mut Vec<crate::store::driver::Value<'v>>) {
                values.push(crate::store::driver::Value::Int(match self {
                    $(Self::$Variant => $number,)+
                }));
            }
        }
    };
}

/// Says how a value is read from its one column, and which [`Value`] it is.
macro_rules! column {
    ($Type:ty, |$cells:ident| $read:expr, |$value:ident| $bind:expr) => {
        impl Nullable for $Type {
            const WIDTH: usize = 1;
        }

        impl Stored for $Type {
            fn read($cells: &mut Cells<'_>) -> Result<Self, Error> {
                $read
            }

            fn bind<'v>(&'v self, values: &mut Vec<Value<'v>>) {
                let $value = self;
                values.push($bind);
            }
        }
    };
}

/// Says that values are stored as JSON. What cannot be written as JSON is NULL, which their columns refuse.
macro_rules! json {
    ($($Type:ty),+) => {$(
        column!(
            $Type,
            |cells| serde_json::from_str(cells.column(Row::text)?).map_err(corrupt),
            |value| serde_json::to_string(value).map_or(Value::Null, |it| Value::Text(it.into()))
        );
    )+};
}

fn corrupt(error: impl ToString) -> Error {
    Error::Corrupt(error.to_string())
}

column!(i64, |cells| cells.column(Row::int), |value| (*value).into());
column!(
    u32,
    |cells| cells.column(|row, column| Ok(row.int(column)?.and_then(|it| it.try_into().ok()))),
    |value| (*value).into()
);
column!(bool, |cells| Ok(cells.column(Row::int)? != 0), |value| (*value).into());
column!(String, |cells| cells.column(Row::text).map(str::to_owned), |value| value.into());
column!(Vec<u8>, |cells| cells.column(Row::blob).map(<[u8]>::to_vec), |value| value
    .as_slice()
    .into());
column!(
    [u8; 32],
    |cells| cells.column(|row, column| Ok(row.blob(column)?.and_then(|it| it.try_into().ok()))),
    |value| value.as_slice().into()
);
column!(
    Uuid,
    |cells| cells.column(|row, column| {
        Ok(row.blob(column)?.and_then(|bytes| Self::from_slice(bytes).ok()))
    }),
    |value| value.into()
);
column!(Protocol, |cells| Self::named(cells.column(Row::text)?).map_err(corrupt), |value| value
    .name()
    .into());
column!(Arc<Policy>, |cells| Ok(Self::new(Policy::read(cells.read::<String>()?))), |value| value
    .text()
    .into());
column!(
    RedriveAllowPolicy,
    |cells| Self::parse(cells.column(Row::text)?).map_err(corrupt),
    |value| (&value.text).into()
);
column!(
    SignatureVersion,
    |cells| cells.column(|row, column| Ok(row.text(column)?.and_then(Self::parse))),
    |value| value.as_str().into()
);
// NULL if there are none.
column!(
    BTreeMap<String, MessageAttribute>,
    |cells| cells.column(|row, column| {
        Ok(row.blob(column)?.map_or_else(|| Some(MessageAttributes::new()), decode))
    }),
    |value| if value.is_empty() { Value::Null } else { Value::Blob(encode(value).into()) }
);
json!(TopicAttributes, SubscriptionAttributes, ApplicationAttributes, IndexMap<String, String>);
numbered!(DeduplicationScope { Queue = 0, MessageGroup = 1 });
numbered!(FifoThroughputLimit { PerQueue = 0, PerMessageGroupId = 1 });

impl<T: Nullable> Nullable for Option<T> {
    const WIDTH: usize = T::WIDTH;
}

/// All columns are NULL, or the first one is not.
impl<T: Nullable> Stored for Option<T> {
    fn read(cells: &mut Cells<'_>) -> Result<Self, Error> {
        if cells.row.is_null(cells.next)? {
            cells.next += T::WIDTH;
            return Ok(None);
        }
        T::read(cells).map(Some)
    }

    fn bind<'v>(&'v self, values: &mut Vec<Value<'v>>) {
        match self {
            Some(value) => value.bind(values),
            None => values.extend(std::iter::repeat_n(Value::Null, T::WIDTH)),
        }
    }
}

/// Says that tuples have the columns of their members.
macro_rules! tuple {
    ($($member:tt: $Member:ident),+) => {
        impl<$($Member: Stored),+> Stored for ($($Member,)+) {
            fn read(cells: &mut Cells<'_>) -> Result<Self, Error> {
                Ok(($($Member::read(cells)?,)+))
            }

            fn bind<'v>(&'v self, values: &mut Vec<Value<'v>>) {
                $(self.$member.bind(values);)+
            }
        }
    };
}

tuple!(0: A, 1: B);
tuple!(0: A, 1: B, 2: C);

fields!(QueueAddress { account: String, region: String, name: String });
fields!(TopicAddress { account: String, region: String, name: String });
fields!(ApplicationAddress { account: String, region: String, platform: String, name: String });
fields!(EndpointAttributes { token: String, others: IndexMap<String, String> });
fields!(RedrivePolicy { text: String, dead_letter_target_arn: String, max_receive_count: u32 });
fields!(Signature { base64: String, version: SignatureVersion, cert_url: String });
fields!(Published {
    subject: Option<String>,
    message: String,
    structured: bool,
    attributes: MessageAttributes,
    group: Option<String>,
    deduplication_id: Option<String>,
});
fields!(QueueAttributes {
    fifo: bool,
    visibility_timeout: u32,
    delay_seconds: u32,
    maximum_message_size: u32,
    message_retention_period: u32,
    receive_message_wait_time_seconds: u32,
    content_based_deduplication: bool,
    deduplication_scope: DeduplicationScope,
    fifo_throughput_limit: FifoThroughputLimit,
    sqs_managed_sse_enabled: bool,
    kms_master_key_id: Option<String>,
    kms_data_key_reuse_period_seconds: Option<u32>,
    policy: Option<Arc<Policy>>,
    redrive_policy: Option<RedrivePolicy>,
    redrive_allow_policy: Option<RedriveAllowPolicy>,
});

#[cfg(test)]
mod tests {
    use super::*;

    struct Example {
        id: i64,
        address: QueueAddress,
        redrive: Option<RedrivePolicy>,
        size: u32,
    }

    row! {
        ($ select) Example in "examples" { id, address: "account" "region" "name" }
        changing { redrive: "policy" "arn" "count", size }
        extra { owner }
    }

    #[test]
    fn statements_have_the_columns_of_the_fields_and_a_mark_for_each_value() {
        assert_eq!(
            select!("WHERE id = ?1"),
            "SELECT id, account, region, name, policy, arn, count, size FROM examples WHERE id = ?1"
        );
        assert_eq!(
            Example::INSERT,
            "INSERT INTO examples (id, account, region, name, policy, arn, count, size, owner) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        );
        assert_eq!(
            Example::UPDATE,
            "UPDATE examples SET (policy, arn, count, size) = (?, ?, ?, ?) WHERE id = ?"
        );
        let [account, region, name] = ["a", "r", "n"].map(str::to_owned);
        let address = QueueAddress { account, region, name };
        let example = Example { id: 1, address, redrive: None, size: 2 };
        let shown = |values: Vec<Value<'_>>| format!("{values:?}");
        assert_eq!(
            shown(values(&example)),
            r#"[Int(1), Text("a"), Text("r"), Text("n"), Null, Null, Null, Int(2)]"#
        );
        assert_eq!(shown(changed_values(&example)), "[Null, Null, Null, Int(2), Int(1)]");
    }
}
