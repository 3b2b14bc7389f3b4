// A SMART app in a page of its own: the unmodified browser build of npm's fhirclient.
//
//   /standalone?iss=BASE   asks for access (standalone launch)
//   /launch?iss=…&launch=… is started from inside the EHR
//   /callback              finishes either and shows what it got
import fs from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const library = fs.readFileSync(require.resolve('fhirclient/build/fhir-client.js'));

const page = (script) => `<!doctype html><html lang="en"><head><meta charset="utf-8">
<title>App</title><link rel="icon" href="data:,"><script src="/fhir-client.js"></script></head>
<body><main><h1>App</h1><pre id="out"></pre></main><script>${script}</script></body></html>`;

const show = `const show = (value) => { document.getElementById('out').textContent = JSON.stringify(value); };
const fail = (error) => show({ error: String(error && error.message || error) });`;

const STANDALONE = page(`${show}
FHIR.oauth2.authorize({
  clientId: 'glucose-coach',
  iss: new URLSearchParams(location.search).get('iss'),
  redirectUri: '/callback',
  scope: 'launch/patient openid fhirUser offline_access patient/Patient.rs patient/Observation.rs patient/MedicationRequest.rs',
}).catch(fail);`);

const LAUNCH = page(`${show}
FHIR.oauth2.authorize({
  clientId: 'chart-lens',
  redirectUri: '/callback',
  scope: 'launch openid fhirUser user/Patient.rs user/Observation.rs user/Practitioner.rs',
}).catch(fail);`);

const CALLBACK = page(`${show}
(async () => {
  const client = await FHIR.oauth2.ready();
  const patient = await client.patient.read();
  const labs = await client.request('Observation?category=laboratory&_count=5&patient=' + client.patient.id);
  const user = await client.user.read();
  let renewed = null;
  if (client.state.tokenResponse.refresh_token) {
    await client.refresh();
    renewed = (await client.patient.read()).id;
  }
  show({
    patient: patient.id, name: patient.name, user: user.resourceType + '/' + user.id,
    labs: (labs.entry || []).length, total: labs.total, renewed,
    scope: client.state.tokenResponse.scope,
    banner: client.state.tokenResponse.need_patient_banner,
  });
})().catch(fail);`);

const PAGES = { '/standalone': STANDALONE, '/launch': LAUNCH, '/callback': CALLBACK };

export function serveApp(port = 9123) {
  const server = http.createServer((request, response) => {
    const path = new URL(request.url, 'http://127.0.0.1').pathname;
    if (path === '/fhir-client.js') {
      response.setHeader('content-type', 'text/javascript');
      response.end(library);
    } else if (PAGES[path]) {
      response.setHeader('content-type', 'text/html; charset=utf-8');
      response.end(PAGES[path]);
    } else {
      response.statusCode = 404;
      response.end();
    }
  });
  return new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve(server)));
}
