//! `proviso policy`: a set written, checked, changed and compared as its author would.

use std::path::Path;

use crate::Ran;

/// The starter set in a folder of its own.
struct Set(tempfile::TempDir);

impl Set {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let set = Self(folder);
        Ran::of(&["policy", "new", &set.path()]).await.expect(0).says("starter set");
        set
    }

    fn path(&self) -> String {
        self.0.path().join("set").to_str().unwrap().to_owned()
    }

    fn edit(&self, file: &str, from: &str, to: &str) {
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
