//! How a tree of codes is written down, once, for the vocabularies beside it.

/// Declares an enum of codes, each with the code it stands under.
macro_rules! code_tree {
    ($(#[$doc:meta])* $name:ident {
        $($(#[$vdoc:meta])* $variant:ident = $code:literal $(under $parent:ident)?,)+
    }) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash,
            serde::Serialize, serde::Deserialize,
        )]
        #[serde(try_from = "alloc::string::String", into = "&'static str")]
        pub enum $name { $($(#[$vdoc])* $variant,)+ }

        impl $name {
            /// All codes, a parent before its children.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The code.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// The code that this one stands under, if any.
            pub const fn parent(self) -> Option<Self> {
                match self { $(Self::$variant => code_tree!(@parent $($parent)?),)+ }
            }

            /// Whether this code is the other one or stands under it.
            pub const fn is_a(self, other: Self) -> bool {
                let mut code = self;
                loop {
                    if code as u8 == other as u8 {
                        return true;
                    }
                    match code.parent() {
                        Some(parent) => code = parent,
                        None => return false,
                    }
                }
            }
        }

        impl core::str::FromStr for $name {
            type Err = $crate::id::IdError;

            fn from_str(code: &str) -> Result<Self, Self::Err> {
                match code { $($code => Ok(Self::$variant),)+ _ => Err(Self::Err::Malformed) }
            }
        }

        impl TryFrom<alloc::string::String> for $name {
            type Error = $crate::id::IdError;

            fn try_from(code: alloc::string::String) -> Result<Self, Self::Error> {
                code.parse()
            }
        }

        impl From<$name> for &'static str {
            fn from(value: $name) -> &'static str {
                value.code()
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(self.code())
            }
        }
    };
    (@parent) => { None };
    (@parent $parent:ident) => { Some(Self::$parent) };
}

pub(super) use code_tree;
