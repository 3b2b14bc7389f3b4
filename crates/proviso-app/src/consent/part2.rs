//! 42 CFR 2.31 at the moment of recording: a consent that lacks an element is not recorded.

use proviso_core::consent::{ConsentTerms, Part2Gap, Part2Parties, Recipient};

use super::ChoiceError;
use crate::App;
use crate::failure::Failure;

impl App {
    /// The first element of a written consent that terms naming substance use lack.
    ///
    /// # Errors
    /// When the names cannot be read.
    pub(crate) async fn part2_gap(
        &self,
        terms: &ConsentTerms,
    ) -> Result<Option<Part2Gap>, Failure> {
        let patient = self.patient_name(&terms.patient).await?;
        let recipient = self.recipient_name(&terms.recipient);
        let parties = Part2Parties {
            patient: &patient,
            discloser: &self.settings.organization_name,
            recipient: &recipient,
        };
        Ok(terms.part2_gaps(parties).first().copied())
    }

    pub(crate) async fn check_part2(&self, terms: &ConsentTerms) -> Result<(), ChoiceError> {
        match self.part2_gap(terms).await? {
            None => Ok(()),
            Some(gap) => Err(ChoiceError::Part2(gap)),
        }
    }

    /// How people know a recipient.
    pub(crate) fn recipient_name(&self, recipient: &Recipient) -> String {
        match recipient {
            Recipient::App(id) => {
                self.live.client(id).map_or_else(|| id.to_string(), |app| app.name.clone())
            }
            Recipient::Person(id) => {
                let account = self.live.account(id);
                account.map_or_else(|| id.to_string(), |own| own.display_name.clone())
            }
            Recipient::Organization(id) | Recipient::CareTeam(id) => id.to_string(),
        }
    }
}
