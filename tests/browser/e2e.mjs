// The main job, driven by visible labels in headless Chromium:  node e2e.mjs http://127.0.0.1:8080
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import { inspect, launch, openPage } from './browser.mjs';
import { serveApp } from './app-server.mjs';

const server = process.argv[2]?.replace(/\/$/, '');
if (!server) throw new Error('usage: node e2e.mjs URL');

const WIDTHS = [360, 1280];
const APP = 'http://127.0.0.1:9123';

async function signIn(page, username) {
  await page.getByLabel('User name').fill(username);
  await page.getByLabel('Password').fill('proviso-demo');
  await page.getByRole('button', { name: 'Sign in' }).click();
}

/** Ticks exactly these kinds of record, whatever was ticked before. */
async function choose(page, kinds) {
  const boxes = page.locator('input[name="category"]');
  for (let i = 0; i < await boxes.count(); i += 1) await boxes.nth(i).setChecked(false);
  for (const kind of kinds) await page.getByLabel(kind, { exact: true }).check();
}

/** How many records the demonstration app shows for each kind; `null` where it was refused. */
async function whatTheAppGot(page) {
  const got = {};
  for (const card of await page.locator('section[aria-labelledby="data"] li.card').all()) {
    const kind = await card.locator('h3').innerText();
    const count = await card.locator('.tag').innerText();
    got[kind] = count.startsWith('You do not share') ? null : Number.parseInt(count, 10) || 0;
  }
  return got;
}

async function mainJob(browser, width) {
  // A form that is shown again because something is missing comes with 422, as it should.
  const corrected = [/status of 422 .*\/oauth\/authorize\//];
  const { context, page, faults } = await openPage(browser, { viewport: { width, height: 800 } }, corrected);

  await page.goto(`${server}/demo`);
  await inspect(page, 'demo');
  await page.getByRole('button', { name: 'Connect to my records' }).click();

  await page.getByLabel('User name').waitFor();
  await inspect(page, 'sign-in-for-app');
  await signIn(page, 'maria');

  // The consent page: sensitive kinds stand apart and unticked; sharing nothing is no sharing.
  await page.getByRole('heading', { level: 1, name: /Glucose Coach asks to see your health records/ }).waitFor();
  await inspect(page, 'consent');
  assert.equal(await page.locator('input[name="sensitive"]:checked').count(), 0);
  assert.ok(await page.locator('input[name="sensitive"]').count() > 0);
  await choose(page, []);
  await page.getByRole('button', { name: 'Share', exact: true }).click();
  await page.getByText('Tick at least one kind of record').waitFor();
  await inspect(page, 'consent-problem');

  await choose(page, ['Medications', 'Laboratory results']);
  await page.getByLabel('For 30 days').check();
  await page.getByLabel(/look for new records while I am not using it/).check();
  await page.getByRole('button', { name: 'Share', exact: true }).click();

  // The app sees only those.
  await page.getByText('Connected', { exact: true }).waitFor();
  await inspect(page, 'demo-connected');
  const got = await whatTheAppGot(page);
  assert.ok(got.Medications > 0, JSON.stringify(got));
  assert.ok(got['Laboratory results'] > 0, JSON.stringify(got));
  const shared = ['Medications', 'Laboratory results'];
  for (const hidden of ['Name and contact details', 'Vital signs', 'Health problems', 'Allergies', 'Vaccinations', 'Visits']) {
    assert.ok(hidden in got, `no card for ${hidden}: ${JSON.stringify(got)}`);
  }
  for (const [kind, count] of Object.entries(got)) {
    assert.ok(shared.includes(kind) || !count, `${kind}: ${JSON.stringify(got)}`);
  }

  // She sees what it did.
  await page.getByRole('link', { name: 'See what the app did' }).click();
  await page.getByRole('heading', { level: 1, name: 'Activity' }).waitFor();
  await page.getByRole('heading', { name: /Glucose Coach looked at .*Medications/ }).first().waitFor();
  await page.getByRole('heading', { name: /We stopped Glucose Coach/ }).first().waitFor();
  await inspect(page, 'activity');
  await page.getByLabel('Result', { exact: true }).selectOption({ label: 'Refused' });
  await page.getByRole('button', { name: 'Show', exact: true }).click();
  await page.getByRole('heading', { name: /We stopped Glucose Coach/ }).first().waitFor();
  assert.equal(await page.getByRole('heading', { name: /Glucose Coach looked at/ }).count(), 0);
  await page.getByLabel('From').fill('2001-01-01');
  await page.getByLabel('To', { exact: true }).fill('2001-01-02');
  await page.getByRole('button', { name: 'Show', exact: true }).click();
  await page.getByText('Nothing matches').waitFor();
  await inspect(page, 'activity-empty');

  // She stops it: told before what will happen, and afterwards what happened.
  await page.getByRole('link', { name: 'Connected apps' }).click();
  await inspect(page, 'apps');
  // The history of the choice, and the receipt of its version, to print and to keep.
  await page.getByRole('link', { name: 'History and receipts of Glucose Coach' }).first().click();
  await page.getByRole('heading', { level: 1, name: 'Sharing with Glucose Coach' }).waitFor();
  await inspect(page, 'choice');
  await page.getByRole('link', { name: 'Receipt for version 1' }).click();
  await page.getByRole('heading', { level: 1, name: /Receipt: Glucose Coach, version 1/ }).waitFor();
  await inspect(page, 'receipt');
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('link', { name: 'Download the signed file' }).click(),
  ]);
  assert.match(download.suggestedFilename(), /^receipt-cns_.*-1\.json$/);
  await page.getByRole('link', { name: 'Back to the choice' }).click();
  await page.goto(`${page.url()}?lang=es`);
  await inspect(page, 'choice-es');
  await page.goto(`${page.url().split('?')[0]}?lang=en`);
  await page.getByRole('link', { name: 'Back to connected apps' }).click();
  await page.getByRole('link', { name: /Stop sharing/ }).click();
  await page.getByRole('heading', { name: 'What will happen' }).waitFor();
  await page.getByText('Its next request for records is refused.').waitFor();
  await inspect(page, 'stop');
  await page.getByRole('button', { name: 'Stop sharing' }).click();
  await page.getByRole('heading', { name: 'What happened' }).waitFor();
  await page.getByText('From now on each request of Glucose Coach is refused.').waitFor();
  await inspect(page, 'stopped');

  // The app is refused.
  await page.goto(`${server}/demo`);
  await page.getByRole('button', { name: 'Ask for the data again' }).click();
  await page.getByRole('heading', { name: 'The app is refused' }).waitFor();
  await inspect(page, 'demo-refused');

  // And she sees that it tried.
  await page.goto(`${server}/portal/activity?outcome=denied`);
  await page.getByText('You stopped sharing').first().waitFor();

  await page.getByRole('link', { name: 'People', exact: true }).click();
  await page.getByRole('heading', { level: 1, name: 'People' }).waitFor();
  await inspect(page, 'people');

  await page.goto(`${server}/portal`);
  await inspect(page, 'home');
  await page.getByRole('link', { name: 'Español' }).click();
  await page.getByRole('heading', { level: 1, name: /Hola, Maria/ }).waitFor();
  await page.getByRole('link', { name: 'Aplicaciones conectadas', exact: true }).first().click();
  await page.getByRole('heading', { level: 1, name: 'Aplicaciones conectadas' }).waitFor();
  await inspect(page, 'apps-es');
  await page.getByRole('link', { name: 'English' }).click();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByText('You are signed out.').waitFor();
  await inspect(page, 'signed-out');
  await page.goto(`${server}/terms`);
  await inspect(page, 'terms');

  assert.deepEqual(faults, []);
  await context.close();
}

/** What the app's page shows once it has finished. */
async function result(page) {
  await page.waitForURL(`${APP}/callback**`);
  await page.waitForFunction(() => document.getElementById('out')?.textContent);
  const shown = JSON.parse(await page.locator('#out').innerText());
  assert.equal(shown.error, undefined, shown.error);
  return shown;
}

async function standaloneLaunch(browser, width) {
  const { context, page, faults } = await openPage(browser, { viewport: { width, height: 800 } });
  await page.goto(`${APP}/standalone?iss=${encodeURIComponent(`${server}/fhir/r4`)}`);
  await signIn(page, 'james');
  await page.getByRole('link', { name: 'Tick all of these kinds' }).click();
  await page.getByLabel('Until I stop it').check();
  await page.getByLabel(/look for new records while I am not using it/).check();
  await page.getByRole('button', { name: 'Share', exact: true }).click();
  const shown = await result(page);
  assert.ok(shown.patient && shown.user === `Patient/${shown.patient}`, JSON.stringify(shown));
  assert.ok(shown.labs > 0, JSON.stringify(shown));
  assert.equal(shown.renewed, shown.patient, 'the public client refreshes without client_id');
  assert.deepEqual(faults, []);
  await context.close();
}

async function refusal(browser, width) {
  const { context, page, faults } = await openPage(browser, { viewport: { width, height: 800 } });
  await page.goto(`${server}/demo`);
  await page.getByRole('button', { name: 'Connect to my records' }).click();
  await signIn(page, 'james');
  await page.getByRole('button', { name: 'Don’t share' }).click();
  await page.getByRole('heading', { name: 'You did not share' }).waitFor();
  await inspect(page, 'demo-denied');
  assert.deepEqual(faults, []);
  await context.close();
}

async function actingForSomebody(browser, width) {
  const { context, page, faults } = await openPage(browser, { viewport: { width, height: 800 } });
  await page.goto(`${server}/demo`);
  await page.getByRole('button', { name: 'Connect to my records' }).click();
  await signIn(page, 'wei');
  // He acts for one patient, so there is nothing to choose.
  await page.getByRole('heading', { level: 1, name: /health records of Lily Chen/ }).waitFor();
  await inspect(page, 'consent-proxy');
  await page.goto(`${server}/portal`);
  await page.getByText('You act for Lily Chen').waitFor();
  await inspect(page, 'home-proxy');
  assert.deepEqual(faults, []);
  await context.close();
}

async function ehrLaunch(browser, width) {
  const { context, page, faults } = await openPage(browser, { viewport: { width, height: 800 } });
  await page.goto(`${server}/launch`);
  await inspect(page, 'sign-in');
  await signIn(page, 'drpatel');
  await page.getByRole('heading', { level: 1, name: 'Open an app' }).waitFor();
  await inspect(page, 'launch');
  await page.getByRole('group', { name: 'Chart Lens', exact: true })
    .getByRole('radio', { name: `Opens at ${APP}/launch`, exact: true }).check();
  await page.getByLabel(/Maria Alvarez/).check();
  await page.getByRole('button', { name: 'Open', exact: true }).click();
  await page.getByRole('heading', { level: 1, name: /Chart Lens wants to open records for you/ }).waitFor();
  await inspect(page, 'operational');
  await page.getByRole('button', { name: 'Allow', exact: true }).click();
  const shown = await result(page);
  assert.ok(shown.labs > 0, JSON.stringify(shown));
  assert.match(shown.user, /^Practitioner\//);
  assert.deepEqual(faults, []);
  await context.close();
}

/** The clinician's app of the demo itself, with one of the patient's visits. */
async function chart(browser, width) {
  const { context, page, faults } = await openPage(browser, { viewport: { width, height: 800 } });
  await page.goto(`${server}/launch`);
  await signIn(page, 'drpatel');
  await page.getByRole('group', { name: 'Chart Lens', exact: true })
    .getByRole('radio', { name: `Opens at ${server}/demo/launch`, exact: true }).check();
  await page.getByLabel(/Maria Alvarez/).check();
  await page.getByRole('button', { name: 'Choose a visit', exact: true }).click();
  await page.getByLabel('No particular visit').waitFor();
  await inspect(page, 'launch-visit');
  await page.locator('input[name="encounter"]:not([value=""])').first().check();
  await page.getByRole('button', { name: 'Open', exact: true }).click();
  await page.getByRole('button', { name: 'Allow', exact: true }).click();
  await page.getByRole('heading', { level: 1, name: /Maria (Elena )?Alvarez/ }).waitFor();
  await page.getByRole('heading', { name: 'Health problems' }).waitFor();
  await inspect(page, 'chart');
  assert.deepEqual(faults, []);
  await context.close();
}

/** An app that does not know the patient yet: the clinician chooses among their own. */
async function choosingAPatient(browser, width) {
  const { context, page, faults } = await openPage(browser, { viewport: { width, height: 800 } });
  const asked = new URLSearchParams({
    response_type: 'code', client_id: 'chart-lens', redirect_uri: `${APP}/callback`, state: 'x'.repeat(32),
    scope: 'launch/patient openid patient/Patient.rs', aud: `${server}/fhir/r4`,
    code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', code_challenge_method: 'S256',
  });
  await page.goto(`${server}/oauth/authorize?${asked}`);
  await signIn(page, 'drpatel');
  await page.getByLabel(/Lily Chen/).waitFor();
  assert.equal(await page.getByLabel(/James Okoro/).count(), 0, 'no care relationship, no name');
  await inspect(page, 'picker');
  await page.getByLabel(/Maria Alvarez/).check();
  await page.getByRole('button', { name: 'Continue', exact: true }).click();
  await page.getByRole('button', { name: 'Allow', exact: true }).waitFor();
  await inspect(page, 'operational-picked');
  assert.deepEqual(faults, []);
  await context.close();
}

/** Pages for mistakes; a browser reports their status on the console, which is as it should be. */
async function mistakes(browser, width) {
  const status = [/Failed to load resource: the server responded with a status of 4\d\d/];
  const { context, page, faults } = await openPage(browser, { viewport: { width, height: 800 } }, status);
  await page.goto(`${server}/portal/nowhere`);
  await inspect(page, 'not-found');
  await page.goto(`${server}/oauth/authorize?client_id=nobody&redirect_uri=https://evil.example`);
  assert.ok(page.url().startsWith(server), 'an unknown app is never redirected to');
  await inspect(page, 'authorize-problem');
  await page.goto(`${server}/login`);
  await page.getByLabel('User name').fill('maria');
  await page.getByLabel('Password').fill('wrong');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('is not right').waitFor();
  await inspect(page, 'sign-in-wrong');
  assert.deepEqual(faults, []);
  await context.close();
}

/** A token for a service of the demo that proves itself by its key; `null` where its file is not known. */
async function serviceToken(id, scope) {
  const folder = process.env.DEMO_DATA;
  if (!folder) return null;
  const { clients } = JSON.parse(fs.readFileSync(`${folder}/demo-clients.json`, 'utf8'));
  const jwk = clients.find((client) => client.client_id === id).private_jwk;
  const now = Math.floor(Date.now() / 1000);
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${part({ alg: jwk.alg, kid: jwk.kid, typ: 'JWT' })}.${part({
    iss: id, sub: id, aud: `${server}/oauth/token`, jti: crypto.randomUUID(), iat: now, exp: now + 60,
  })}`;
  const key = crypto.createPrivateKey({ key: jwk, format: 'jwk' });
  const hash = jwk.alg === 'ES384' ? 'sha384' : 'sha256';
  const signature = crypto.sign(hash, Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' });
  const answer = await fetch(`${server}/oauth/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'client_credentials', scope,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: `${text}.${signature.toString('base64url')}`,
    }),
  });
  assert.equal(answer.status, 200, await answer.clone().text());
  return (await answer.json()).access_token;
}

/** What a patient signed at the desk: filed by a registry, read by the patient, and by nobody who acts for them. */
async function choicesOnFile(browser, width) {
  const { context, page, faults } = await openPage(browser, { viewport: { width, height: 800 } });
  await page.goto(`${server}/portal/choices`);
  await signIn(page, 'james');
  await page.getByRole('heading', { level: 1, name: 'Choices on file' }).waitFor();
  await inspect(page, 'choices-before');
  const token = await serviceToken('consent-registry', 'system/Consent.crus');
  if (token) {
    const role = 'http://terminology.hl7.org/CodeSystem/v3-ParticipationType';
    const reason = 'http://terminology.hl7.org/CodeSystem/v3-ActReason';
    const answer = await fetch(`${server}/fhir/r4/Consent`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/fhir+json' },
      body: JSON.stringify({
        resourceType: 'Consent',
        status: 'active',
        scope: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/consentscope', code: 'patient-privacy' }] },
        category: [{ coding: [{ system: 'http://loinc.org', code: '59284-0' }] }],
        patient: { reference: 'Patient/james' },
        dateTime: '2026-11-01',
        organization: [{ reference: 'Organization/riverside' }],
        policy: [{ uri: 'http://example.org/policies/privacy' }],
        provision: {
          type: 'permit',
          purpose: [{ system: reason, code: 'TREAT' }],
          provision: [{
            type: 'deny',
            actor: [{ role: { coding: [{ system: role, code: 'IRCP' }] }, reference: { reference: 'Practitioner/drpatel', display: 'Dr. Anika Patel' } }],
            dataPeriod: { end: '2020-05' },
          }],
        },
      }),
    });
    assert.equal(answer.status, 201, await answer.text());
    await page.reload();
    await page.getByRole('heading', { level: 4, name: 'Except this, which you keep back' }).first().waitFor();
    await page.getByText('until May 2020').first().waitFor();
    await inspect(page, 'choices');
    await page.goto(`${server}/portal/choices?lang=es`);
    await inspect(page, 'choices-es');
    await page.goto(`${server}/portal?lang=en`);
    await page.getByRole('link', { name: 'See choices on file' }).waitFor();
  }
  await context.close();
  const other = await openPage(browser, { viewport: { width, height: 800 } });
  await other.page.goto(`${server}/portal/choices?patient=james`);
  await signIn(other.page, 'grace');
  await other.page.getByText('Only the patient sees this').waitFor();
  assert.equal(await other.page.getByText('keep back').count(), 0);
  await inspect(other.page, 'choices-kept');
  assert.deepEqual([...faults, ...other.faults], []);
  await other.context.close();
}

/** Who can see what, down to the records. */
async function whoSeesWhat(browser, width) {
  const { context, page, faults } = await openPage(browser, { viewport: { width, height: 800 } });
  await page.goto(`${server}/portal`);
  await signIn(page, 'maria');
  await page.getByRole('link', { name: 'See who can see what' }).click();
  await page.getByRole('heading', { level: 1, name: 'Who can see what' }).waitFor();
  await inspect(page, 'who');
  await page.getByRole('link', { name: 'See which records Dr. Anika Patel can see' }).click();
  await page.getByRole('heading', { level: 1, name: 'What Dr. Anika Patel can see' }).waitFor();
  await inspect(page, 'who-records');
  await page.goto(`${server}/portal/who?lang=es`);
  await inspect(page, 'who-es');
  assert.deepEqual(faults, []);
  await context.close();
}

/** A clinician declares an emergency, opens an app under it, ends it; the patient is told at once. */
async function emergency(browser, width) {
  const status = [/status of 422 .*\/emergency/];
  const { context, page, faults } = await openPage(browser, { viewport: { width, height: 800 } }, status);
  await page.goto(`${server}/launch`);
  await signIn(page, 'drstone');
  await page.getByRole('link', { name: 'Declare emergency access' }).click();
  await inspect(page, 'emergency');
  await page.getByLabel('Patient number').fill('maria');
  await page.getByLabel(/What happened, in your own words/).fill('Found unconscious at the bus stop.');
  await page.getByLabel(/For how many minutes/).fill('20');
  await page.getByLabel('Your password, again').fill('proviso-demo');
  await page.getByRole('button', { name: 'Declare and open' }).click();
  await page.getByText('Choose one of the reasons.').waitFor();
  await inspect(page, 'emergency-problem');
  await page.getByLabel('The patient cannot answer').check();
  await page.getByLabel('Your password, again').fill('proviso-demo');
  await page.getByRole('button', { name: 'Declare and open' }).click();
  await page.getByRole('button', { name: 'End it now' }).first().waitFor();
  await inspect(page, 'emergency-open');
  const patient = await openPage(browser, { viewport: { width, height: 800 } });
  await patient.page.goto(`${server}/portal`);
  await signIn(patient.page, 'maria');
  await patient.page.getByText('Found unconscious at the bus stop.').first().waitFor();
  await inspect(patient.page, 'emergency-told');
  await patient.page.goto(`${server}/portal/who`);
  await patient.page.getByRole('heading', { name: 'Dr. Eli Stone' }).waitFor();
  await page.getByRole('button', { name: 'End it now' }).first().click();
  await page.getByLabel('Patient number').waitFor();
  await inspect(page, 'emergency-ended');
  assert.deepEqual([...faults, ...patient.faults], []);
  await patient.context.close();
  await context.close();
}

const jobs = [];
for (const width of WIDTHS) {
  jobs.push([`main job at ${width} px`, (browser) => mainJob(browser, width)]);
  jobs.push([`acting for somebody at ${width} px`, (browser) => actingForSomebody(browser, width)]);
  jobs.push([`EHR launch with fhirclient at ${width} px`, (browser) => ehrLaunch(browser, width)]);
  jobs.push([`standalone launch with fhirclient at ${width} px`, (browser) => standaloneLaunch(browser, width)]);
  jobs.push([`refusing to share at ${width} px`, (browser) => refusal(browser, width)]);
  jobs.push([`a chart in the demo at ${width} px`, (browser) => chart(browser, width)]);
  jobs.push([`choosing a patient at ${width} px`, (browser) => choosingAPatient(browser, width)]);
  jobs.push([`choices on file at ${width} px`, (browser) => choicesOnFile(browser, width)]);
  jobs.push([`who sees what at ${width} px`, (browser) => whoSeesWhat(browser, width)]);
  jobs.push([`an emergency at ${width} px`, (browser) => emergency(browser, width)]);
  jobs.push([`mistakes at ${width} px`, (browser) => mistakes(browser, width)]);
}

const only = process.env.ONLY ? new RegExp(process.env.ONLY) : null;
const app = await serveApp();
const browser = await launch();
let failed = 0;
for (const [name, job] of jobs) {
  if (only && !only.test(name)) continue;
  try {
    await job(browser);
    console.log(`ok    ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL  ${name}\n${error.stack ?? error}`);
    for (const context of browser.contexts()) {
      for (const page of context.pages()) {
        const text = await page.locator('body').innerText({ timeout: 2000 }).catch(() => '(no text)');
        console.log(`      at ${page.url()}\n${text.slice(0, 600)}`);
      }
      await context.close();
    }
  }
}
await browser.close();
app.close();
process.exit(failed === 0 ? 0 : 1);
