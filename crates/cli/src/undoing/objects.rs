//! Objects between their journal form and the files surface.

use rescind_files::{Identity, Kind, ObjectRecord, ObjectTable};
use rescind_model::ObjectId;
use rescind_supervisor::SessionView;
use rescind_supervisor::journal::{ObjectForm, bytes_from_text, text_from_bytes};

/// The record that a form is of; `None` where it is none.
pub fn record(form: &ObjectForm) -> Option<ObjectRecord> {
    Some(ObjectRecord {
        session: form.session.parse().ok()?,
        object: ObjectId(form.o),
        identity: Identity {
            dev: form.dev,
            ino: form.ino,
            btime: form.btime,
        },
        kind: Kind::of_name(&form.kind)?,
        path: bytes_from_text(&form.path),
        gone: form.gone,
    })
}

/// The form of a record.
pub fn form(record: &ObjectRecord) -> ObjectForm {
    ObjectForm {
        session: record.session.to_string(),
        o: record.object.0,
        dev: record.identity.dev,
        ino: record.identity.ino,
        btime: record.identity.btime,
        kind: record.kind.name().to_owned(),
        gone: record.gone,
        path: text_from_bytes(&record.path),
    }
}

/// The objects of a run.
pub fn table(view: &SessionView) -> ObjectTable {
    let mut table = ObjectTable::new(view.id.clone());
    for record in view.objects.iter().filter_map(record) {
        table.load(&record);
    }
    table
}
