//! [`Value`]: what a key is set to as it is written, before its reader gives it a type.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

/// Keys and their values, as one table of TOML has them.
pub(super) type Table = BTreeMap<String, Value>;

/// A value as written. Any text may be a secret: all of them are overwritten when they are dropped.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(Zeroizing<String>),
    Integer(i64),
    Boolean(bool),
    List(Vec<Value>),
    Table(Table),
    /// From the environment: takes the type that is wanted of it.
    Untyped(Zeroizing<String>),
    /// A TOML type that no key of ours has.
    Foreign(&'static str),
}
