//! Record versions in memory: writing, and the questions about them.

use std::sync::Arc;

use proviso_core::id::{PatientId, ResourceId};
use proviso_core::label::LabelSetVersion;
use proviso_core::resource_type::ResourceType;

use super::{ModelRecord, State};
use crate::batch::Precondition;
use crate::record::{
    CandidateQuery, Clause, Expect, HistoryQuery, LabelCounts, RecordLabels, RecordMethod,
    RecordVersion, StoredRecord,
};

impl ModelRecord {
    fn fits(&self, clause: &Clause) -> bool {
        match clause {
            Clause::AnyKey(keys) => keys.iter().any(|key| self.version.keys.contains(key)),
            Clause::Range { param, low, high } => self
                .version
                .ranges
                .iter()
                .any(|range| range.param == *param && range.low <= *high && range.high >= *low),
            Clause::Ids(ids) => ids.contains(&self.version.id),
            Clause::Patients(patients) => self.names_any(patients),
        }
    }

    fn names_any(&self, patients: &[PatientId]) -> bool {
        patients.iter().any(|patient| self.version.patients.contains(patient))
    }

    fn stored(&self, seq: u64) -> StoredRecord {
        let RecordVersion { resource_type, id, version, at, method, body, .. } = &self.version;
        StoredRecord {
            seq,
            resource_type: *resource_type,
            id: id.clone(),
            version: *version,
            at: *at,
            method: *method,
            body: body.clone(),
            labels: self.version.labels.clone().map(|labels| labels.found).unwrap_or_default(),
        }
    }

    fn is_labelled_by(&self, set: &LabelSetVersion) -> bool {
        self.version.labels.as_ref().is_some_and(|labels| labels.set == *set)
    }
}

impl State {
    pub(super) fn put_record(
        &mut self,
        record: RecordVersion,
        expect: Expect,
    ) -> Result<u64, Precondition> {
        let deleted = record.body.is_none();
        if deleted != (record.method == RecordMethod::Delete) {
            return Err(Precondition::Contradiction);
        }
        let key = (record.resource_type, record.id.clone());
        let newest_seq = self.versions.get(&key).and_then(|seqs| seqs.last().copied());
        let newest = newest_seq.and_then(|seq| self.at_seq(seq)).map(|record| &record.version);
        let current = newest.map(|newest| newest.version);
        let live = newest.is_some_and(|newest| newest.body.is_some());
        let fits = match expect {
            Expect::Absent => current.is_none(),
            Expect::Version(version) => live && current == Some(version),
            Expect::AbsentOrDeleted => !live,
            Expect::Any => true,
        };
        if !fits || record.version != current.unwrap_or(0) + 1 {
            return Err(Precondition::VersionConflict { current });
        }
        let seq = self.latest_seq() + 1;
        if let Some(old) = newest_seq.and_then(|old| self.slot(old)) {
            Arc::make_mut(old).to = seq;
        }
        self.records.push(Arc::new(ModelRecord { version: record, to: u64::MAX }));
        self.versions.entry(key).or_default().push(seq);
        Ok(seq)
    }

    pub(super) fn put_labels(
        &mut self,
        seq: u64,
        labels: RecordLabels,
    ) -> Result<(), Precondition> {
        let slot = self.slot(seq).ok_or(Precondition::Missing)?;
        if slot.version.body.is_none() {
            return Err(Precondition::Missing);
        }
        Arc::make_mut(slot).version.labels = Some(labels);
        Ok(())
    }

    pub(crate) fn consents_on_file(
        &self,
        after: Option<&ResourceId>,
        limit: usize,
    ) -> Vec<StoredRecord> {
        let is_picture = |id: &ResourceId| {
            let tail = id.as_str().strip_prefix("cns-");
            tail.is_some_and(|tail| !tail.is_empty() && !tail.contains('.'))
        };
        let mut found: Vec<StoredRecord> = (1_u64..)
            .zip(&self.records)
            .filter(|(_, record)| {
                let own = &record.version;
                own.resource_type == ResourceType::CONSENT
                    && own.body.is_some()
                    && record.to == u64::MAX
                    && !is_picture(&own.id)
                    && after.is_none_or(|after| own.id > *after)
            })
            .map(|(seq, record)| record.stored(seq))
            .collect();
        found.sort_by(|one, other| one.id.cmp(&other.id));
        found.truncate(limit);
        found
    }

    pub(crate) fn stale_labels(
        &self,
        set: &LabelSetVersion,
        after: u64,
        limit: usize,
    ) -> Vec<StoredRecord> {
        let from = usize::try_from(after).unwrap_or(usize::MAX);
        (after.saturating_add(1)..)
            .zip(self.records.iter().skip(from))
            .filter(|(_, record)| record.version.body.is_some() && !record.is_labelled_by(set))
            .take(limit)
            .map(|(seq, record)| record.stored(seq))
            .collect()
    }

    pub(crate) fn label_counts(&self, set: &LabelSetVersion) -> LabelCounts {
        let mut counts = LabelCounts::default();
        for record in self.records.iter().filter(|record| record.version.body.is_some()) {
            if record.is_labelled_by(set) {
                counts.labelled += 1;
            } else {
                counts.stale += 1;
            }
        }
        counts
    }

    pub(crate) fn latest_seq(&self) -> u64 {
        self.records.len() as u64
    }

    fn slot(&mut self, seq: u64) -> Option<&mut Arc<ModelRecord>> {
        self.records.get_mut(usize::try_from(seq.checked_sub(1)?).ok()?)
    }

    fn at_seq(&self, seq: u64) -> Option<&ModelRecord> {
        self.records.get(usize::try_from(seq.checked_sub(1)?).ok()?).map(Arc::as_ref)
    }

    fn versions_of<'a>(
        &'a self,
        resource_type: ResourceType,
        id: &ResourceId,
    ) -> impl DoubleEndedIterator<Item = (u64, &'a ModelRecord)> + use<'a> {
        let seqs = self.versions.get(&(resource_type, id.clone()));
        seqs.into_iter().flatten().filter_map(|seq| Some((*seq, self.at_seq(*seq)?)))
    }

    pub(crate) fn record(
        &self,
        resource_type: ResourceType,
        id: &ResourceId,
        as_of: Option<u64>,
    ) -> Option<StoredRecord> {
        let as_of = as_of.unwrap_or(u64::MAX);
        self.versions_of(resource_type, id)
            .rfind(|(seq, _)| *seq <= as_of)
            .map(|(seq, record)| record.stored(seq))
    }

    pub(crate) fn record_version(
        &self,
        resource_type: ResourceType,
        id: &ResourceId,
        version: u64,
    ) -> Option<StoredRecord> {
        self.versions_of(resource_type, id)
            .find(|(_, record)| record.version.version == version)
            .map(|(seq, record)| record.stored(seq))
    }

    pub(crate) fn changes(
        &self,
        resource_type: ResourceType,
        patient: Option<&PatientId>,
        after: u64,
        limit: usize,
    ) -> Vec<StoredRecord> {
        let from = usize::try_from(after).unwrap_or(usize::MAX);
        let of = |record: &ModelRecord| {
            patient.is_none_or(|wanted| record.version.patients.contains(wanted))
        };
        (after.saturating_add(1)..)
            .zip(self.records.iter().skip(from))
            .filter(|(_, record)| record.version.resource_type == resource_type && of(record))
            .take(limit)
            .map(|(seq, record)| record.stored(seq))
            .collect()
    }

    pub(crate) fn history(&self, query: &HistoryQuery) -> Vec<StoredRecord> {
        let all = (1..=self.latest_seq()).rev();
        all.filter(|seq| query.before_seq.is_none_or(|before| *seq < before))
            .filter_map(|seq| Some((seq, self.at_seq(seq)?)))
            .filter(|(_, record)| {
                let version = &record.version;
                query.resource_type.is_none_or(|wanted| version.resource_type == wanted)
                    && query.id.as_ref().is_none_or(|wanted| version.id == *wanted)
                    && query.since.is_none_or(|since| version.at >= since)
                    && query.patients.as_ref().is_none_or(|wanted| record.names_any(wanted))
            })
            .take(query.limit)
            .map(|(seq, record)| record.stored(seq))
            .collect()
    }

    pub(crate) fn candidates(&self, query: &CandidateQuery) -> Vec<StoredRecord> {
        // Below the end of the versions that are current now, which is the largest number.
        let as_of = query.as_of.min(u64::MAX - 1);
        let mut found: Vec<StoredRecord> = (1..)
            .zip(&self.records)
            .filter(|(seq, record)| *seq <= as_of && as_of < record.to)
            .filter(|(_, record)| {
                record.version.resource_type == query.resource_type
                    && record.version.body.is_some()
                    && query.after.as_ref().is_none_or(|after| record.version.id > *after)
                    && query.clauses.iter().all(|clause| record.fits(clause))
            })
            .map(|(seq, record)| record.stored(seq))
            .collect();
        found.sort_by(|a, b| a.id.cmp(&b.id));
        found.truncate(query.limit);
        found
    }

    pub(crate) fn count_records(&self) -> u64 {
        let live =
            |record: &&Arc<ModelRecord>| record.to == u64::MAX && record.version.body.is_some();
        self.records.iter().filter(live).count() as u64
    }
}
