//! A secret has no text form.
use proviso_core::secret::Secret;

fn main() {
    println!("{}", Secret::new("token"));
}
