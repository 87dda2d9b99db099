//! `section!`: a table of keys, each declared once.

/// Declares the type of a table of keys. A row is one key: its documentation, its field, its name where that is another one, its type, how
/// it is read (with bounds and default), and what a reload may do with a change of it ([`crate::config::reload`]).
///
/// It makes `read`, which asks for the keys in the order of the rows, and `compare`. A field with several keys compares them itself.
macro_rules! section {
    (
        $(#[$about:meta])*
        pub struct $name:ident {
            $( $(#[$doc:meta])* $field:ident $(as $key:literal)?: $type:ty = $read:expr, $reload:expr; )*
        }
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name {
            $( $(#[$doc])* pub $field: $type, )*
        }

        impl $name {
            /// Reads each key, or takes its default.
            pub(in crate::config) fn read(section: &mut $crate::config::section::Section<'_>) -> Self {
                Self {
                    $( $field: {
                        let read: fn(&mut $crate::config::section::Section<'_>, &'static str) -> $type = $read;
                        read(section, $crate::config::sections::declare::key!($field $($key)?))
                    }, )*
                }
            }

            /// Compares each key with that of `new`.
            pub(in crate::config) fn compare(&self, new: &Self, found: &mut $crate::config::reload::Comparison) {
                $( {
                    let compare: fn(&mut $crate::config::reload::Comparison, &str, &$type, &$type) = $reload;
                    compare(found, $crate::config::sections::declare::key!($field $($key)?), &self.$field, &new.$field);
                } )*
            }
        }
    };
}

/// The name of a key: that of its field, unless it says another one.
macro_rules! key {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $key:literal) => {
        $key
    };
}

pub(in crate::config) use {key, section};
