// Writes golden.json: each template there is rendered by LiquidJS, and `expected` replaced by what it answers.
// In a folder where `npm install liquidjs@10.30.1` was run: node …/golden.mjs [--check]
// With --check nothing is written, and the exit code is 1 where golden.json says otherwise.
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
process.env.TZ = 'UTC';
const { Liquid } = createRequire(process.cwd() + '/')('liquidjs');
const file = new URL('golden.json', import.meta.url);
const before = readFileSync(file, 'utf8');
const golden = JSON.parse(before);
Date.now = () => golden.now * 1000;
const engine = new Liquid({ strictFilters: true, locale: 'en-US' });
const lines = golden.cases.map(({ template, variables }) => {
  const all = { ...golden.variables, ...variables };
  // `null`: LiquidJS refuses the template, so we must too.
  let expected = null;
  try { expected = engine.parseAndRenderSync(template, structuredClone(all)); } catch {}
  return '    ' + JSON.stringify({ template, ...(variables && { variables }), expected });
});
const after = `{
  "generator": "golden.mjs, with LiquidJS 10.30.1",
  "now": ${golden.now},
  "variables": ${JSON.stringify(golden.variables)},
  "cases": [
${lines.join(',\n')}
  ]
}
`;
if (!process.argv.includes('--check')) writeFileSync(file, after);
else if (after !== before) { console.error('golden.json is not what LiquidJS answers'); process.exit(1); }
