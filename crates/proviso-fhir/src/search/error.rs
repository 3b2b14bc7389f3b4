//! Why a query was refused. No variant depends on what is stored.

use alloc::string::String;

/// A search that cannot be answered as it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SearchError {
    /// The text is not form-encoded UTF-8.
    #[error("the query is not valid form-encoded UTF-8")]
    Encoding,
    /// More parameters than [`super::PARAMETERS_MAX`].
    #[error("the query has more than {} parameters", super::PARAMETERS_MAX)]
    TooManyParameters,
    /// More alternatives in one parameter than [`super::ALTERNATIVES_MAX`].
    #[error("the parameter `{parameter}` has more than {} values", super::ALTERNATIVES_MAX)]
    TooManyValues {
        /// Its name as asked.
        parameter: String,
    },
    /// Chains, `_has` or includes go deeper than [`super::DEPTH_MAX`].
    #[error("the parameter `{parameter}` reaches deeper than {} steps", super::DEPTH_MAX)]
    TooDeep {
        /// Its name as asked.
        parameter: String,
    },
    /// The parameter is not defined for the type.
    #[error("the search parameter `{parameter}` is not known here")]
    UnknownParameter {
        /// Its name as asked.
        parameter: String,
    },
    /// The modifier is not defined for this kind of parameter.
    #[error("the modifier `{modifier}` does not apply to the search parameter `{parameter}`")]
    UnknownModifier {
        /// The parameter's name.
        parameter: String,
        /// The modifier as asked.
        modifier: String,
    },
    /// FHIR defines it, this server does not offer it.
    #[error("the search parameter `{parameter}` is not supported by this server")]
    Unsupported {
        /// Its name, with the modifier where that is what is not supported.
        parameter: String,
    },
    /// The value does not have the form that the parameter needs.
    #[error("the value of `{parameter}` is not {expected}")]
    BadValue {
        /// The parameter's name.
        parameter: String,
        /// What was expected, with its article.
        expected: &'static str,
    },
    /// A parameter that may come once came twice.
    #[error("the parameter `{parameter}` is given more than once")]
    Repeated {
        /// Its name.
        parameter: String,
    },
    /// A chain leads to several types; the query must say which.
    #[error("the chain `{parameter}` fits no type that has the last parameter")]
    NoChainTarget {
        /// The chain as asked.
        parameter: String,
    },
}
