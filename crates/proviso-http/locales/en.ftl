### Every text that people read, in English. Words follow the glossary; portal texts are written
### for readers of about twelve years. Nothing here is formatted as HTML.

## Frame

brand = Proviso
page-title = { $title } – { $organization }
skip-to-content = Skip to the main content
nav-label = Main pages
nav-home = Home
nav-apps = Connected apps
nav-people = People
nav-activity = Activity
nav-launch = Open an app
signed-in-as = Signed in as { $name }
sign-out = Sign out
language-label = Language
footer-text = { $organization } keeps your records here. Proviso makes sure they are shared only as you choose.
footer-terms = Terms and help
demo-banner = This is a demonstration. The people and their records are made up.

## Dates and lists

month-1 = January
month-2 = February
month-3 = March
month-4 = April
month-5 = May
month-6 = June
month-7 = July
month-8 = August
month-9 = September
month-10 = October
month-11 = November
month-12 = December
date-month = { $month } { $year }
date-day = { $day } { $month } { $year }
date-time-of-day = { $time } UTC
date-moment = { $day }, { $time }
list-and = { $first } and { $last }

## Kinds of record

category-demographics = Name and contact details
    .examples = name, date of birth, address, phone number
category-allergies = Allergies
    .examples = penicillin, peanuts, pollen
category-problems = Health problems
    .examples = diabetes, high blood pressure, asthma
category-medications = Medications
    .examples = metformin 500 mg, insulin, ibuprofen
category-laboratory = Laboratory results
    .examples = blood sugar (HbA1c), cholesterol, kidney values
category-vitals = Vital signs
    .examples = blood pressure, heart rate, weight
category-social-history = Social history
    .examples = smoking, work, housing
category-immunizations = Vaccinations
    .examples = flu, tetanus, COVID-19
category-procedures = Procedures
    .examples = eye examination, colonoscopy, stitches
category-visits = Visits
    .examples = check-up, emergency visit, hospital stay
category-notes = Notes and documents
    .examples = visit note, discharge summary, referral letter
category-imaging = Imaging
    .examples = X-ray, ultrasound, MRI
category-care-plans = Care plans and goals
    .examples = diabetes plan, weight goal
category-care-team = Care team
    .examples = family doctor, diabetes nurse
category-devices = Devices
    .examples = glucose meter, pacemaker, hearing aid
category-family-history = Family history
    .examples = mother had heart disease
category-coverage = Insurance coverage
    .examples = insurer, member number, plan
category-billing = Bills and claims
    .examples = claims, payments
category-appointments = Appointments
    .examples = follow-up next month
category-messages = Messages
    .examples = question about a medicine
category-questionnaires = Questionnaires
    .examples = mood questionnaire, intake form

## Sensitive kinds

sensitive-mental-health = Mental health
    .what = Care and medicines for mood, anxiety and other mental health conditions.
    .examples = depression, therapy visits
sensitive-psychotherapy-notes = Psychotherapy notes
    .what = A therapist’s own notes of talks with a patient. The law protects them more than other notes.
    .examples = session notes
sensitive-substance-use = Alcohol and drug use treatment
    .what = Care for the use of alcohol, medicines or drugs. Programs that give this care need written consent to share it (42 CFR Part 2).
    .examples = treatment program, methadone
sensitive-hiv = HIV
    .what = HIV tests, results and treatment. A negative result counts, too.
    .examples = HIV test, HIV medicine
sensitive-reproductive = Sexual and reproductive health
    .what = Pregnancy, contraception, abortion, fertility and sexual health.
    .examples = birth control, pregnancy test
sensitive-sti = Sexually transmitted infections
    .what = Tests and treatment for infections passed on by sex.
    .examples = chlamydia test, syphilis treatment
sensitive-violence = Domestic or sexual violence
    .what = Care after violence, and what was said about it.
    .examples = safety questions, injury care
sensitive-genetics = Genetics
    .what = Genetic tests. They can say something about relatives, too.
    .examples = BRCA test, carrier test
sensitive-adolescent = Confidential teen care
    .what = Care that a young person may keep private from parents.
    .examples = confidential visit
sensitive-restricted = Records kept extra private
    .what = Records that we were asked to keep extra private.
    .examples = a visit marked as private

## Purposes

purpose-treat = your care
    .proxy = the care of { $name }
purpose-etreat = care in an emergency
    .proxy = care of { $name } in an emergency
purpose-btg = emergency access
    .proxy = emergency access to records of { $name }
purpose-coc = coordinating your care
    .proxy = coordinating the care of { $name }
purpose-hpaymt = paying for your care
    .proxy = paying for the care of { $name }
purpose-hoperat = running the health organization
    .proxy = running the health organization of { $name }
purpose-patrqt = your own use
    .proxy = { $name }’s own use, or yours for { $name }
purpose-famrqt = your family’s use
    .proxy = use by the family of { $name }
purpose-hresch = research
    .proxy = research with records of { $name }
purpose-pubhlth = public health
    .proxy = public health, with records of { $name }

## Durations

duration-once = Just this once
    .what = Access ends after one hour at the latest.
duration-30-days = For 30 days
    .what = Access ends by itself on { $until }.
duration-1-year = For one year
    .what = Access ends by itself on { $until }.
duration-until-stopped = Until I stop it
    .what = Access goes on until you stop it.

## Sign in

sign-in-title = Sign in
sign-in-for-app = { $app } wants to connect to your records. Sign in to answer. It does not get your password.
sign-in-intro = Sign in to see who looks at your records and to decide what is shared.
sign-in-username = User name
sign-in-password = Password
sign-in-button = Sign in
sign-in-wrong = The user name or the password is not right. Check both and try again.
sign-in-missing = Enter your user name and your password.
sign-in-throttled = There were too many tries. Wait { $seconds } seconds, then try again.
sign-in-signed-out = You are signed out.
sign-in-demo-hint = In this demonstration every password is “proviso-demo”. Try the user name “maria” (a patient) or “drpatel” (a doctor).

## Errors, with what to do next

error-heading-summary = There is a problem
error-code = Code
error-request = Request number
error-home = Go to the start page
error-return = Go back to the app
error-not-found = Page not found
    .what = There is no page at this address, or it is not for you.
error-method = This does not work here
    .what = The page cannot be used in this way. Go back and try again.
error-too-large = Too much was sent
    .what = What was sent is larger than this server accepts.
error-address-too-long = The address is too long
    .what = The address is longer than this server accepts.
error-media-type = This kind of content is not accepted
    .what = The form was sent in a format that this server does not know.
error-form = The form could not be read
    .what = Something in the form is missing or was sent twice. Go back, reload the page and try again.
error-csrf = This form is too old
    .what = The form was not sent from a page that we showed you, or you signed in again since. Nothing was changed. Go back, reload the page and try again.
error-forbidden = This page is not for your account
    .what = You are signed in, but this page is meant for others.
error-request-gone = This request to connect has ended
    .what = It was answered already, took too long, or was started in another browser. Nothing was shared by opening this page. Start again in the app.
error-authorize = The app sent a request that we cannot accept
    .what = Nothing was shared. Tell the makers of the app what is written below.
error-launch = The app could not be opened
    .what = The app, the patient or the visit is not available to you. Nothing was shared.
error-headers-too-long = What your browser sent is too long
    .what = Your browser sent more with its request than this server accepts. Removing old cookies may help.
error-too-many = Too many requests came from your network
    .what = For a short while this server takes no more requests to connect from there. Nothing was shared or changed. Please try again in a minute.
error-unavailable = We cannot do this right now
    .what = Something on our side does not work. Nothing was shared or changed. Please try again in a few minutes.

## Choosing a patient

picker-title = Whose records is this about?
picker-intro = { $app } wants to connect to the records of one person. Choose whose.
picker-you = { $name } (you)
picker-acting = { $name } (you act for this person)
picker-patient = { $name }
picker-continue = Continue
picker-cancel = Don’t continue
picker-missing = Choose one person.
picker-none = There is no person whose records you could share.

## Consent page

consent-title = { $app } asks to see your health records
consent-title-proxy = { $app } asks to see the health records of { $patient }
consent-intro = You decide what it sees and for how long. No box is ticked unless you tick it. If you do not share, your care does not change.
    .proxy = You decide what it sees and for how long. No box is ticked unless you tick it. If you do not share, the care of { $name } does not change.
consent-acting = You act for { $patient }. You decide about their records, not about your own.
consent-errors = Before you can share
consent-error-category = Tick at least one kind of record, or choose “Don’t share”.
consent-error-duration = Choose how long to share.
consent-error-once-away = “Just this once” and looking for records while you are away do not go together. Choose a longer time, or untick the box.
consent-error-unknown = The form named something that the app did not ask for. Please choose again.
consent-error-changed = Something on this page has changed since you opened it. Please read it again, then decide.
consent-error-part2-end = Records of alcohol or drug use treatment need an end date. Choose another time, or leave them out.
consent-error-standing = You may not share the records of this person at the moment.
consent-who = Who is asking
consent-who-app = App
consent-who-says = What it says about itself
consent-who-site = Web site
consent-who-policy = Privacy policy
consent-who-terms = Terms of use
consent-who-contact = Contact
consent-who-none = Not given
consent-who-returns = You go back to
consent-who-unchecked = These details come from the makers of the app. { $organization } has not checked them.
consent-why = What for
consent-why-text = The app says that it is for { $purpose }.
consent-whose = Whose records
consent-see = What will { $app } see?
consent-see-hint = Tick each kind of record that it may see. It sees past records and, while you share, new ones.
consent-see-everything = This app asks for every kind of record. Shared in full, that is everything we hold about you, except for sensitive records.
    .proxy = This app asks for every kind of record. Shared in full, that is everything we hold about { $name }, except for sensitive records.
consent-examples = For example: { $examples }
consent-tick-all = Tick all of these kinds
consent-tick-none = Untick all
consent-write = The app also asks to add or change records of the kinds you tick.
consent-delete = The app also asks to delete records of the kinds you tick.
consent-identity = It also learns who you are: that you signed in here, and which record is yours.
consent-identity-proxy = It also learns who you are: that you signed in here, and for whom you act.
consent-sensitive = Sensitive records
consent-sensitive-hint = These need an extra yes, because they can hurt you in the wrong hands. A sensitive record is shown only when you also tick its kind of record above.
    .proxy = These need an extra yes, because they can hurt { $name } in the wrong hands. A sensitive record is shown only when you also tick its kind of record above.
consent-not = What will it not see?
consent-not-unticked = Every kind of record above that you leave unticked.
consent-not-sensitive = Every sensitive record that you leave unticked, even within a kind that you share. The app is not told that there is something it does not see.
consent-not-asked = { $count ->
    [one] One kind of record that it did not ask for
   *[other] { $count } kinds of record that it did not ask for
}
consent-not-for-proxy = Records that are confidential between the patient and their clinicians. Only the patient can share those.
consent-who-more = More about the app
consent-sensitive-summary = { $count ->
    [one] Show one sensitive kind
   *[other] Show { $count } sensitive kinds
}
consent-not-people = Records of other people, even when they are family.
consent-long = How long?
consent-long-hint = You can stop sooner at any time.
consent-offline = When you are away
consent-offline-label = Let { $app } look for new records while I am not using it
consent-offline-hint = Without this, it sees records only for a short time after you use it. It never goes on after the time you choose above.
consent-after = What happens then?
consent-after-share = If you share, { $app } can look at what you ticked right away.
    .proxy = If you share, { $app } can look right away at what you ticked of { $name }.
consent-after-see = You see every look it takes under Activity.
    .proxy = You and { $name } see every look it takes under Activity.
consent-after-receipt = You find a receipt of your choice under Connected apps, to print or keep.
    .proxy = You find a receipt of the choice under Connected apps, to print or keep.
consent-after-stop = You can stop at any time under Connected apps. Its next request is refused.
    .proxy = You and { $name } can stop at any time under Connected apps. Its next request is refused.
consent-after-copies = What it has copied by then stays with it. We cannot take that back or check how it is used.
    .proxy = What it has copied by then stays with it. We cannot take that back or check how it is used.
consent-after-deny = If you don’t share, it gets nothing, and you go back to the app.
    .proxy = If you don’t share, it gets nothing about { $name }, and you go back to the app.
consent-technical = The request in technical words
consent-terms = Terms shown: { $uri }
consent-share = Share
consent-deny = Don’t share
consent-decide = Your decision

## Operational page (staff)

operational-title = { $app } wants to open records for you
operational-intro = You are signed in as { $name }. The app sees what your role lets you see, and nothing more.
operational-patient = Patient
operational-no-patient = No single patient: every patient in your care
operational-encounter = Visit
operational-scopes = What the app may do
operational-scope-view = look at these kinds of record: { $kinds }
operational-scope-write = add or change these kinds of record: { $kinds }
operational-rules = The rules of { $organization } and the patient’s objections apply to each record.
operational-audit = Each record that is opened is written to the activity log under your name. The patient can see it.
identity-title = { $app } wants to know who you are
identity-intro = You are signed in as { $name }.
identity-who = It learns that you signed in here, and who you are.
identity-nothing = It sees no health records.
operational-allow = Allow
operational-deny = Don’t allow

## Portal home

home-title = Hello, { $name }
home-acting = You act for { $name }
home-acting-what = You see and decide about the records of { $name }. They can see what you do.
home-whose = Whose pages do you want to see?
home-show = Show
home-apps = Who can see the records now
home-apps-count = { $count ->
    [0] No app can see the records.
    [one] One app can see records.
   *[other] { $count } apps can see records.
}
home-apps-link = See connected apps
home-activity = What happened last
home-activity-none = Nothing has happened yet.
home-activity-times = { $sentence } ({ $count } times)
home-activity-link = See all activity
home-demo = Try it out
home-demo-text = Open the demonstration app and ask it to connect.
home-demo-link = Open the demonstration app
home-staff = Open an app for a patient
home-staff-text = Start an app with a patient in your care. Each record opened is logged.
home-staff-link = Choose an app
home-nobody = There are no health records for this account
home-nobody-text = Your account has no health records of its own, and you act for nobody at the moment.

## Connected apps

apps-title = Connected apps
apps-intro = These apps can see records now. You can stop each of them at any time.
apps-none = No app is connected
apps-none-text = When you let an app see records, it is listed here.
apps-ended = Ended
apps-ended-intro = These apps could see records once. They cannot any more.
apps-active = Sharing
apps-not-yet = Not begun
apps-over = Ended
apps-sees = It sees
apps-saw = It could see
apps-sensitive = Sensitive records
apps-sensitive-none = None
apps-sensitive-private = Only the patient sees which
apps-since = Since
apps-until = Until
apps-until-stopped = You stop it
apps-ended-on = Ended
apps-given-by = Chosen by
apps-offline = While you are away
apps-offline-yes = It may look for new records
apps-offline-no = It may not
apps-told = New records
apps-told-yes = It is told of them at once, as far as it may see them
apps-last-seen = Last look
apps-last-seen-never = It has not looked yet
apps-purpose = What for
apps-activity = What { $app } did
apps-stop = Stop sharing
apps-stop-with = Stop sharing with { $app }
apps-history = History and receipts of { $app }

## One sharing choice

choice-title = Sharing with { $app }
choice-history = What was chosen, and when
choice-history-intro = Each change makes a new version. No version is ever changed or deleted. For each there is a receipt that you can keep.
choice-version = Version { $number }
choice-began = Sharing with { $app } began.
choice-changed = What is shared with { $app } was chosen anew.
choice-stopped = Sharing with { $app } was stopped.
choice-expired = Sharing with { $app } ended because its time was over.
choice-mistake = This choice was marked as a mistake.
choice-not-given = This choice was not made yet.
choice-shares = Kinds of record
choice-change-more = Shared in addition: { $what }.
choice-change-less = No longer shared: { $what }.
choice-change-sensitive-more = Sensitive records shared in addition: { $what }.
choice-change-sensitive-less = Sensitive records no longer shared: { $what }.
choice-change-purpose-more = It may also be used for this: { $what }.
choice-change-purpose-less = It may no longer be used for this: { $what }.
choice-change-period = The new end: { $what }.
choice-change-data-period = Records of another time are shared.
choice-change-offline-yes = It may now look for new records while you are away.
choice-change-offline-no = It may no longer look for new records while you are away.
choice-change-giver = Somebody else made the choice.
choice-change-wording = The text of the page or its terms had changed.
choice-receipt = Receipt for version { $number }

receipt-title = Receipt: { $app }, version { $number }
receipt-what = What was chosen
receipt-whose = Records of
receipt-from = Kept by
receipt-to = Shared with
receipt-recorded = Chosen on
receipt-now = When this receipt was made ({ $at }), the choice was in force.
receipt-now-other = When this receipt was made ({ $at }), a later version of the choice was in force.
receipt-ended = When this receipt was made ({ $at }), nothing was shared by this choice any more.
receipt-partial = The patient may have named sensitive records in confidence. They are not in this receipt, so it does not hold the whole choice.
receipt-text = The text that was shown
receipt-proof = How others can check this receipt
receipt-proof-intro = The file is signed. Whoever has it can find out that nothing in it was changed, without asking us.
receipt-check = The command “proviso verify-receipt” checks the file. Keep the key of the log with it: then it can be checked for as long as you like.
receipt-id = Receipt
receipt-version-id = Version id
receipt-text-hash = Hash of the text
receipt-key = Signing key
receipt-log-key = Key of the log
receipt-log-place = Place in the log
receipt-file = Download the signed file
receipt-back = Back to the choice

stop-title = Stop sharing with { $app }?
stop-what = What will happen
stop-next = Its next request for records is refused. This works at once.
stop-away = It cannot look for new records while you are away any more.
stop-copies = What it has copied before stays with it. Ask the makers of the app to delete it.
stop-again = It can ask you again. You decide anew then.
stop-care = Your care does not change.
stop-sees = What it sees now
stop-confirm = Stop sharing
stop-cancel = Keep sharing

stopped-title = { $app } can no longer see the records
stopped-what = What happened
stopped-at = Sharing ended on { $at }.
stopped-next = From now on each request of { $app } is refused. Its key to the records no longer works.
stopped-copies = What it copied before stays with it. To have that deleted, ask the makers of the app.
stopped-log = We wrote this to your activity list.
stopped-activity = See activity
stopped-apps = Back to connected apps

## People

people-title = People
people-shared = People with whom records are shared
people-shared-none = No sharing choice names a person.
people-sees = They may see
people-saw = They could see
people-acting = People who act for the patient
people-acting-what = They may look at the records and decide about sharing in the patient’s place.
people-acting-none = Nobody acts for the patient.
people-acting-sees = Every kind of record, except what stays between the patient and their clinicians.
people-acting-end = Who can end this
people-acting-end-who = { $organization } can. Ask its privacy officer.
people-approved = Approved on
people-approval-due = To be approved again by
people-of-age = Ends when the patient comes of age
people-no-start = Not set
people-no-end = No end is set
stop-person-next = From then on { $app } may not look at records by this choice. This works at once.
stop-person-acting = If { $app } also acts for the patient, that goes on. The page People says who can end it.
stop-person-again = You can share again at any time. Care does not change.
stopped-person-title = Records are no longer shared with { $app }
stopped-person-next = From now on { $app } may not look at records by this choice.
stopped-person-acting = If { $app } also acts for the patient, that goes on. The page People says who can end it.
stopped-people = Back to people
home-people = People
home-people-count = { $count ->
    [0] Records are shared with no person.
    [one] Records are shared with one person.
   *[other] Records are shared with { $count } people.
}
home-people-acting = { $count ->
    [0] Nobody acts for the patient.
    [one] One person acts for the patient.
   *[other] { $count } people act for the patient.
}
home-people-link = See people

## Choices on file

filed-title = Choices on file
filed-intro = What you signed elsewhere, at a desk or in another system, and was sent to { $organization }. It is checked each time somebody asks for your records.
filed-intro-kept = What the patient signed elsewhere, at a desk or in another system, and was sent to { $organization }. It is checked each time somebody asks for the records.
filed-none = Nothing is on file
filed-none-text = If you sign a consent form at the desk, you can read here what it does.
filed-kept = Only the patient sees this
filed-kept-text = What somebody signed for themselves stays with them. Ask them, if you need to know.
filed-number = Consent form, version { $number }
filed-heard = In use
filed-unread = Cannot be read, so we keep your records back
filed-other = About something other than records
filed-ended = Not in use
filed-given = Signed on
filed-since = Received on
filed-permit = You allow this
filed-deny = You keep this back
filed-but-permit = Except this, which you allow
filed-but-deny = Except this, which you keep back
filed-of-that-permit = But of that, you allow this
filed-of-that-deny = But of that, you keep this back
filed-who = Who
filed-author = records written by { $name }
filed-holder = records held by { $name }
filed-for = What for
filed-labels = How sensitive
filed-level-u = open to all
filed-level-l = little sensitive
filed-level-m = a little more sensitive
filed-level-n = not sensitive
filed-level-r = sensitive
filed-level-v = very sensitive
filed-kinds = Which kinds of record
filed-records = Which records
filed-actions = To do what
filed-when = When somebody asks
filed-from = Records from
filed-between = from { $start } to { $end }
filed-starting = from { $start } on
filed-ending = until { $end }
filed-everything = everybody and everything
filed-more = { $count ->
    [one] one more
   *[other] { $count } more
}
filed-change = To change or stop this
filed-change-text = Ask where you signed it. Apps and people that you chose here are on the pages Connected apps and People, and you can stop them there at any time.
filed-back = Back to the start
home-filed = Choices on file
home-filed-count = { $count ->
    [0] No consent form of yours is on file.
    [one] One consent form of yours is in use.
   *[other] { $count } consent forms of yours are in use.
}
home-filed-link = See choices on file

## Activity

activity-title = Activity
activity-intro = Who looked at the records, who tried to, and what changed. Newest first.
activity-filter = Show only
activity-filter-app = App
activity-filter-all-apps = All apps
activity-filter-from = From
activity-filter-to = To
activity-filter-kind = Kind of record
activity-filter-all-kinds = All kinds
activity-filter-outcome = Result
activity-filter-all-outcomes = All results
activity-filter-apply = Show
activity-filter-clear = Show everything
activity-filter-bad-date = Write dates as year, month and day, such as 2026-11-22.
activity-filter-order = The first day must not come after the last day.
activity-none = Nothing here yet
activity-none-text = As soon as someone looks at the records, or tries to, you see it here.
activity-none-filtered = Nothing matches
activity-none-filtered-text = There is no activity that fits what you chose.
activity-older = Older
activity-newer = Back to the newest
activity-pages = Pages of activity
activity-sensitive = Sensitive records
activity-times-zone = Times are in world time (UTC), which may differ from the clock on your wall.
activity-who = Who
activity-why = Why
activity-result = Result
activity-outcome-success = Done
activity-outcome-denied = Refused
activity-outcome-failure = Did not work
activity-outcome-error = Fault on our side
activity-access-outcome-success = Allowed
activity-access-outcome-nothing = Nothing shown
activity-who-you = You
activity-who-app-for-you = { $app }, connected by you
activity-who-app-for = { $app }, for { $name }
activity-who-app = { $app }
activity-who-person = { $name }
activity-who-server = This server
activity-who-nobody = Someone who was not signed in
activity-why-purpose = For { $purpose }

activity-access-read = { $outcome ->
    [success] { $count ->
        [0] { $who } asked for { $kinds } and got nothing.
        [one] { $who } looked at one record: { $kinds }.
       *[other] { $who } looked at { $count } records: { $kinds }.
    }
    [denied] We stopped { $who }. It was about { $kinds }.
    [failure] { $who } asked in a way that does not work and got nothing.
   *[error] { $who } asked for { $kinds }. Something failed here, and nothing was handed out.
}
activity-access-read-some = { $who } looked at records: { $kinds }.
activity-access-write-some = { $who } added or changed records: { $kinds }.
activity-access-read-unshared = { $who } asked for { $kinds } and got nothing, because that is not shared.
activity-access-write = { $outcome ->
    [success] { $who } added or changed { $count ->
        [one] one record: { $kinds }.
       *[other] { $count } records: { $kinds }.
    }
    [denied] We stopped { $who } from adding or changing { $kinds }.
    [failure] { $who } tried to add or change { $kinds } in a way that does not work.
   *[error] { $who } tried to add or change { $kinds }. Something failed here, and nothing was changed.
}
activity-access-delete = { $outcome ->
    [success] { $who } deleted { $kinds }.
    [denied] We stopped { $who } from deleting { $kinds }.
    [failure] { $who } tried to delete { $kinds } in a way that does not work.
   *[error] { $who } tried to delete { $kinds }. Something failed here, and nothing was deleted.
}
activity-access-delete-some = { $who } deleted { $kinds }.
activity-access-notify-some = { $who } was told at once of records: { $kinds }.
activity-access-notify = { $outcome ->
    [success] { $count ->
        [0] There was news of { $kinds }. { $who } was told nothing.
        [one] { $who } was told at once of one record: { $kinds }.
       *[other] { $who } was told at once of { $count } records: { $kinds }.
    }
    [denied] There was news of { $kinds }. We did not tell { $who }.
   *[error] There was news of { $kinds }. { $who } was told nothing, because something failed here.
}
activity-subscription = { $outcome ->
    [success] { $action ->
        [create] { $who } asked to be told at once of new records that it may see.
        [update] { $who } changed what it is told of at once.
        [delete] { $who } is no longer told of new records at once.
       *[other] { $who } looked at what it is told of at once.
    }
   *[other] { $who } asked to be told of new records at once. That was refused.
}
activity-kinds-several = several kinds of record
activity-kinds-unknown = records
activity-access-stopped = We stopped { $who }.
activity-kinds-directory = care staff, places or medicines
activity-times = { $count ->
    [one] once
   *[other] { $count } times
}
activity-sign-in = { $outcome ->
    [success] { $who } signed in.
   *[other] Someone tried to sign in and could not.
}
activity-sign-out = { $who } signed out.
activity-authorization = { $outcome ->
    [success] { $action ->
        [launch] { $who } opened { $app }.
       *[other] { $who } said yes to { $app }.
    }
    [denied] { $who } said no to { $app }.
   *[other] { $app } asked to connect in a way that does not work.
}
activity-some-app = an app
activity-token = { $outcome ->
    [success] { $who } got a new key to the records it may see.
   *[other] { $who } asked for a new key and was refused.
}
activity-token-revocation = { $who } gave its key back.
activity-introspection = A service asked whether a key is still good.
activity-evaluation = { $outcome ->
    [success] { $who }, a service of your health organization, asked whether someone may see a record of yours. The answer was yes. No record was shown.
   *[other] { $who }, a service of your health organization, asked whether someone may see a record of yours. The answer was no.
}
activity-simulate = { $outcome ->
    [success] Your health organization looked up who can see which of your records. No record was shown.
   *[other] Your health organization wanted to look up who can see your records. It got no answer.
}
activity-identity = { $outcome ->
    [success] { $who } asked who had signed in, and was told.
   *[other] { $who } asked who had signed in and was refused.
}
activity-consent = { $action ->
    [record] { $who } started sharing: { $kinds }.
    [amend] { $who } changed what is shared: { $kinds }.
    [revoke] { $who } stopped sharing.
    [expire] Sharing ended because its time was over.
   *[other] A sharing choice changed.
}
activity-consent-with = { $action ->
    [record] { $who } started sharing with { $app }: { $kinds }.
    [amend] { $who } changed what is shared with { $app }: { $kinds }.
    [revoke] { $who } stopped sharing with { $app }.
    [expire] Sharing with { $app } ended because its time was over.
   *[other] The sharing choice for { $app } changed.
}
activity-client-registration = A new app was added to the list of known apps.
activity-portal-view = { $outcome ->
    [success] { $who } looked at these pages.
   *[other] { $who } wanted to look at these pages and was refused.
}
activity-key = A security key of this service was changed.
activity-names-shown = { $who } saw your name in a list of patients.
activity-names-shown-for = { $who } saw your name in a list of patients, to choose one for { $app }.
activity-import = { $outcome ->
    [success] Your health organization added records here.
   *[other] Your health organization tried to add records here. It did not work.
}
activity-administration = { $action ->
    [delete] Your health organization removed a record: { $kinds }.
    [choices] Your health organization looked at sharing choices.
    [proxy-approve] Your health organization approved that somebody acts for you.
    [proxy-end] It ended that somebody acts for you.
    [proxy-list] Your health organization looked at who acts for you.
    [shift] A nurse’s working time with you began.
   *[other] Your health organization changed something in how this service works.
}

## Start an app (staff)

launch-title = Open an app
launch-intro = Choose an app and a patient in your care. The app opens with this patient.
launch-app = App
launch-address = Opens at { $uri }
launch-patient = Patient
launch-visit-hint = To open the app with a particular visit, choose the visit first.
launch-choose-visit = Choose a visit
launch-visit-title = Which visit of { $patient }?
launch-visit-intro = { $app } opens with this patient and the visit you choose.
launch-visit = Visit
launch-visit-none = No particular visit
launch-visit-label = { $what }, { $when }
launch-visit-unnamed = Visit
launch-visit-undated = no date
launch-visit-cut = Older visits are not in this list.
launch-visit-empty = There is no visit of this patient that you may open.
launch-back = Choose somebody else
launch-open = Open
launch-missing-app = Choose an app.
launch-missing-patient = Choose a patient.
launch-wrong-visit = This is not one of this patient’s visits that you may open. Choose one from the list, or none.
launch-no-apps = No app is set up to be opened from here.
launch-no-patients = No patient is in your care at the moment.

## Terms and help

terms-title = Terms and help
terms-choose = You choose
terms-choose-text = An app sees records only when you let it, only the kinds you chose, and only as long as you chose. Sensitive records need an extra yes.
terms-stop = You can stop
terms-stop-text = Go to Connected apps and choose “Stop sharing”. The next request of the app is refused. What it copied before stays with it.
terms-see = You can see
terms-see-text = Activity lists who looked at the records, what for, and what was refused. Entries cannot be changed or deleted without being noticed.
terms-staff = People who treat you
terms-staff-text = Staff of { $organization } may see records that they need for your care. Each look is listed under Activity.
terms-help = Help
terms-help-text = If something looks wrong, ask the privacy officer of { $organization }.

## The demonstration app: another party, with its own words

demo-title = Glucose Coach
demo-tagline = A demonstration app. It knows nothing about you until you let it.
demo-app-note = This page belongs to the app, not to your health organization. It uses the same doors as every other app: a request to connect, a token, and the FHIR API.
demo-connect = Connect to my records
demo-connect-text = You go to { $organization }, sign in there and choose what to share.
demo-hint = Sign in as “maria” with the password “proviso-demo”.
demo-connected = Connected
demo-not-connected = Not connected
demo-connected-for = The app looks at the records of { $patient }.
demo-connected-for-somebody = The app looks at the records of the person you chose.
demo-allowed-kinds = You let it look at: { $kinds }.
demo-technical = For developers
demo-allowed = What you allowed
demo-data = What the app got
demo-data-when = Asked on { $at }
demo-count = { $count ->
    [0] nothing
    [one] 1 record
   *[other] { $count } records
}
demo-more = and { $count } more
demo-kind-refused = You do not share this
demo-kind-none = Nothing to show
demo-again = Ask for the data again
demo-forget = Disconnect this app
demo-portal = See and stop what is shared
demo-portal-activity = See what the app did
demo-refused = The app is refused
demo-refused-text = { $organization } no longer lets this app see records.
demo-denied = You did not share
demo-denied-text = The app got nothing. You can try again at any time.
demo-failed = Connecting did not work
demo-failed-text = The app could not connect to { $organization } and got nothing. Try again.
demo-unnamed = without a name
demo-chart-title = Chart Lens
demo-chart-closed = This app opens with a patient. A clinician starts it from the page “Open an app”.
demo-chart-data = What the app got
demo-chart-another = Open another patient
demo-chart-denied = You did not let the app in
demo-chart-denied-text = The app got nothing.
demo-chart-kind-refused = Not open to you
demo-chart-failed = The app could not be opened
demo-chart-failed-text = The app could not connect to { $organization } and got nothing. Start it again from the page “Open an app”.
demo-kind-patient = Name and contact details
demo-kind-allergies = Allergies
demo-kind-problems = Health problems
demo-kind-medications = Medications
demo-kind-laboratory = Laboratory results
demo-kind-vitals = Vital signs
demo-kind-immunizations = Vaccinations
demo-kind-procedures = Procedures
demo-kind-visits = Visits
demo-kind-notes = Notes and documents
demo-kind-social-history = Social history
demo-kind-care-plans = Care plans and goals

## Who can see what

who-title = Who can see what
who-intro = This is how it is right now. It is worked out anew each time this page is opened, and your look is written down.
who-apps = Apps
who-apps-none = No app can see records.
who-people = The patient, and people who act for the patient
who-people-none = Nobody else can see records in this way.
who-staff = People who give care
who-staff-none = Nobody who gives care can see records right now.
who-staff-apps = Apps that they use at work can see no more than they can.
who-staff-private = People who give care see what their work needs. Only the patient sees who they are.
who-services = Services of { $organization }
who-services-none = No service can see records.
who-patient = The patient
who-chosen-by = Chosen by { $name }
who-private = Whether it can see sensitive records, only the patient is told.
who-at-most = These are at most the records. The patient may have chosen elsewhere that some of them are held back.
who-count = { $count ->
    [0] It can see none of the { $total } records here.
    [one] Can see one of the { $total } records here.
   *[other] Can see { $count } of the { $total } records here.
}
who-kind = { $kind }: { $count }
who-other = Other records
who-open = See which records { $name } can see
who-cut = There are more records than fit here. The first { $count } are counted.
who-records-title = What { $name } can see
who-records = The records
who-no-date = No date
who-newer = Newer records
who-older = Older records
who-back = Back to who can see what
home-who-text = See for each app and each person which of the records they can see.
home-who-link = See who can see what
losing-title = If you stop, { $app } can no longer see
losing-count = { $count ->
    [0] { $app } can see no record right now, so nothing changes today.
    [one] One record goes out of its sight.
   *[other] { $count } records go out of its sight.
}
losing-list = Show each record
losing-private = Sensitive records may be among them. Only the patient is told which.
losing-failed = The list cannot be shown right now. You can stop all the same.
preview-title = If you share this, { $app } can see
preview-count = { $count ->
    [0] None of the { $total } records here, as it stands right now.
    [one] One of the { $total } records here, as it stands right now.
   *[other] { $count } of the { $total } records here, as it stands right now.
}
preview-lost = { $count ->
    [one] One record that it can see now goes out of its sight.
   *[other] { $count } records that it can see now go out of its sight.
}
preview-listed = The list below names the newest { $count }.
preview-failed = The list cannot be shown right now. You can decide all the same.
consent-preview = Show me each record first
emergency-title = Emergency access
emergency-intro = For one patient whose life or health is in danger and who is not in your care. It is never longer than 60 minutes, and it only lets you read.
emergency-link = Declare emergency access
emergency-back = Back to your own patients
emergency-declare = Declare emergency access
emergency-told = The patient is told at once. Each record that you open is written down for the patient and for a review by somebody else within three days.
emergency-patient = Patient number
emergency-reason = Why you need it
emergency-reason-unresponsive = The patient cannot answer
    .patient = you could not answer
emergency-reason-life-threat = The patient’s life is in danger
    .patient = your life was in danger
emergency-reason-threat-to-others = Other people are in danger
    .patient = other people were in danger
emergency-reason-unreachable = The clinician who treats the patient cannot be reached
    .patient = nobody who treats you could be reached
emergency-why = What happened, in your own words. The patient can read this.
emergency-minutes = For how many minutes (1 to 60)
emergency-password = Your password, again
emergency-button = Declare and open
emergency-missing-patient = Enter the number of one patient.
emergency-missing-reason = Choose one of the reasons.
emergency-missing-why = Say in your own words what happened, in at most 2,000 characters.
emergency-missing-minutes = Enter a number of minutes from 1 to 60.
emergency-missing-password = Enter your password again.
emergency-wrong-password = This password is not right. Nothing was opened.
emergency-no-patient = There is no patient with this number. Nothing was opened.
emergency-open = Emergency access to the records of { $patient }
emergency-until = It ends on { $time }.
emergency-app = { $app }, at { $uri }
emergency-end = End it now
operational-emergency = This is emergency access. It ends on { $time }. The app can read and cannot change anything. The patient is told.
home-emergency-title = Somebody opened your records in an emergency
home-emergency = { $over ->
    [yes] { $who } could see your records from { $from } to { $until }, because { $reason }.
   *[no] { $who } can see your records since { $from }, because { $reason }. This ends on { $until }.
}
home-emergency-words = They wrote: “{ $why }”
home-emergency-review = Somebody else checks if this was right. You see each record that was opened in your activity.
home-notice-title = Your health organization tells you about this right away
home-notice = { $when }: { $sentence } Who: { $who }.
home-notice-more = These records get special care, so you are told each time. You can see all of it in your activity.
activity-oversight = { $action ->
    [review] { $outcome ->
        [success] It was checked if an access to your records was right. { $who } did this.
       *[other] { $who } tried to check an access to your records. It was stopped.
    }
   *[other] Your health organization looked at accesses to your records that it checks.
}
activity-emergency = { $action ->
    [declare] { $outcome ->
        [success] { $who } opened your records in an emergency.
       *[other] { $who } tried to open your records in an emergency. It was stopped.
    }
    [end] { $outcome ->
        [success] Emergency access to your records was ended. { $who } did this.
       *[other] { $who } tried to end emergency access to your records.
    }
    [review] { $outcome ->
        [success] It was checked if the emergency access to your records was right. { $who } did this.
       *[other] { $who } tried to check an emergency access to your records. It was stopped.
    }
   *[other] Your health organization looked at emergency access to your records.
}
