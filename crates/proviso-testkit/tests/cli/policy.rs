//! `proviso policy`: a set written, checked, changed and compared as its author would.

use std::path::Path;

use proviso_testkit::process::Server;

use crate::{Ran, World};

/// The starter set in a folder of its own.
pub(crate) struct Set(tempfile::TempDir);

impl Set {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let set = Self(folder);
        Ran::of(&["policy", "new", &set.path()]).await.expect(0).says("starter set");
        set
    }

    pub(crate) fn path(&self) -> String {
        self.0.path().join("set").to_str().unwrap().to_owned()
    }

    pub(crate) fn edit(&self, file: &str, from: &str, to: &str) {
        let path = Path::new(&self.path()).join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} does not have `{from}`");
        std::fs::write(path, text.replacen(from, to, 1)).unwrap();
    }
}

#[tokio::test]
async fn the_starter_set_is_written_and_checked() {
    let set = Set::new().await;
    let ran = Ran::of(&["policy", "check", &set.path()]).await.expect(0);
    ran.says("invariants hold").says("tests pass");
    let json = Ran::of(&["policy", "check", &set.path(), "--json"]).await.expect(0).json();
    assert_eq!(json["sound"], true);
    assert_eq!(json["findings"], serde_json::json!([]));
    assert_eq!(json["id"].as_str().unwrap().len(), 64);
    Ran::of(&["policy", "test", &set.path()]).await.expect(0).says("tests pass");
    // What is there is never written over.
    Ran::of(&["policy", "new", &set.path()]).await.expect(1).says("not empty");
}

#[tokio::test]
async fn what_is_wrong_is_told_with_file_line_and_policy() {
    let set = Set::new().await;
    set.edit("20-treatment.cedar", "Role::\"nurse\"", "Role::\"nurze\"");
    let ran = Ran::of(&["policy", "check", &set.path()]).await.expect(3);
    ran.says("FAIL  20-treatment.cedar:").says("`nurse-on-shift`");

    let set = Set::new().await;
    set.edit("20-treatment.cedar", "when { context has shift }", "when { true }");
    let ran = Ran::of(&["policy", "test", &set.path()]).await.expect(3);
    ran.says("tests/treatment.toml:").says("A nurse after the shift sees nothing");
    let json = Ran::of(&["policy", "test", &set.path(), "--json"]).await.expect(3).json();
    assert_eq!(json["sound"], false);
    assert_eq!(json["findings"][0]["code"], "test-fails");
}

#[tokio::test]
async fn a_difference_is_told_in_words() {
    let (before, after) = (Set::new().await, Set::new().await);
    let same = Ran::of(&["policy", "diff", &before.path(), &after.path()]).await.expect(0);
    same.says("no decision changes");
    let consult = "when { context has consult && context.consult.age <= 86400 }\n\
                   when { [Purpose::\"TREAT\", Purpose::\"COC\"].contains(context.purpose) }\n\
                   when { resource.kinds.isEmpty() }";
    let open = consult.replace("resource.kinds.isEmpty()", "true");
    after.edit("20-treatment.cedar", consult, &open);
    let told = Ran::of(&["policy", "diff", &before.path(), &after.path()]).await.expect(0);
    told.says("+ permit").says("consult known for at most day").says("labelled genetics");
    told.says("view; ").says("any record");
    assert!(!told.out.contains("psychotherapy"), "another limit holds");
    // What a policy does not look at is told as what it is: any.
    let cover = "context.covering.age <= 3600";
    before.edit("20-treatment.cedar", cover, "context.covering.age <= 900");
    let told = Ran::of(&["policy", "diff", &before.path(), &after.path()]).await.expect(0);
    told.says("any interaction").says("covering known for hour");
}

#[tokio::test]
async fn a_question_is_answered_with_every_policy_that_could_apply() {
    let set = Set::new().await;
    let question = set.0.path().join("question.toml");
    let text = "who = \"clinician\"\npurpose = \"TREAT\"\naction = \"read\"\n\
                record = \"Observation\"\ncategories = [\"laboratory\"]\n";
    std::fs::write(&question, text).unwrap();
    let question = question.to_str().unwrap();
    let ran = Ran::of(&["policy", "explain", &set.path(), question]).await.expect(0);
    ran.says("deny").says("no-care-relationship").says("treating-clinician");
    let json =
        Ran::of(&["policy", "explain", &set.path(), question, "--json"]).await.expect(0).json();
    assert_eq!(json["decision"], "deny");
    let policies = json["policies"].as_array().unwrap();
    assert!(policies.iter().any(|own| own["policy"] == "consultant" && own["applies"] == false));
    std::fs::write(question, "who = \"surgeon\"").unwrap();
    Ran::of(&["policy", "explain", &set.path(), question]).await.expect(1).says("question");
}

#[tokio::test]
async fn a_folder_that_is_no_set_is_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    Ran::of(&["policy", "check", path]).await.expect(1).says("no `*.cedar` file");
    Ran::of(&["policy", "check", "/nowhere/at/all"]).await.expect(1).says("cannot read");
}

// Covers: design §6: one proposes, another approves; tried out first; gone back from at once
#[tokio::test]
async fn a_set_comes_into_force_by_two_people_and_goes_again_by_one_command() {
    let world = World::new().await;
    let data = world.path();
    let of = async |arguments: &[&str]| {
        Ran::of(&[&["policy"], arguments, &["--data", &data]].concat()).await
    };
    let shipped = "the set that comes with this release";
    let server = Server::demo(&world.data(), &[]).await.unwrap();
    of(&["list"]).await.expect(0).says(shipped);
    let set = Set::new().await;
    set.edit("70-emergency.cedar", "// Emergency access", "// As agreed: emergency access");
    let path = set.path();
    let propose = ["propose", &path, "--note", "Says that it was agreed.", "--by"];
    let by = async |words: &[&str], who: &str| of(&[words, &[who]].concat()).await;
    by(&propose, "drpatel").await.expect(1).says("may not change policies");
    by(&propose, "nobody").await.expect(1).says("there is no account `nobody`");
    by(&propose, "admin").await.expect(0).says("waits for another person").says("acc_admin");
    by(&propose, "admin").await.expect(1).says("was proposed before");
    let listed = of(&["list", "--json"]).await.expect(0).json();
    let id = listed["sets"][0]["id"].as_str().unwrap().to_owned();
    let short = &id[..12];

    of(&["activate", short, "--by", "priya"]).await.expect(1).says("has not been approved");
    of(&["approve", short, "--by", "admin"]).await.expect(1).says("cannot decide on it");
    of(&["approve", "ffff", "--by", "priya"]).await.expect(1).says("no set of policies `ffff`");
    of(&["approve", short, "--by", "priya"]).await.expect(0).says("approved").says("acc_priya");
    of(&["reject", short, "--by", "priya"]).await.expect(1).says("was decided on before");
    of(&["try", short, "--by", "priya"]).await.expect(0).says("tried out");
    of(&["shadow"]).await.expect(0).says(&format!("set {id}: asked 0 times"));
    of(&["try", "none", "--by", "priya"]).await.expect(0).says(shipped);
    of(&["shadow"]).await.expect(0).says("no set is tried out");
    let live = of(&["activate", short, "--by", "priya"]).await.expect(0);
    live.says(&format!("{short}: in force"));
    assert!(!live.out.contains(shipped), "{}", live.out);
    server.interrupt().await.unwrap();

    // The server is gone: the command does it itself, and what was in force is.
    of(&["list"]).await.expect(0).says(&format!("{short}: in force"));
    of(&["activate", "shipped", "--by", "priya"]).await.expect(0).says(shipped);
    of(&["activate", "shipped", "--by", "priya"]).await.expect(1).says("in force already");

    let wrong = Set::new().await;
    wrong.edit("20-treatment.cedar", "when { context has shift }", "when { true }");
    let path = wrong.path();
    let told = of(&["propose", &path, "--note", "Shifts never end.", "--by", "admin"]).await;
    told.expect(1).says("cannot come into force").says("A nurse after the shift sees nothing");
    Ran::of(&["verify", "--data", &data]).await.expect(0);
}
